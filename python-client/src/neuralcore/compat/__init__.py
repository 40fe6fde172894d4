"""Stand-ins for classes of ATLAS, with its names, arguments and results.

``neuralcore.compat.atlas_ncb``        its message bus: ``NeuralCognitiveBus``, ``NeuralCoreNCB``
``neuralcore.compat.agent_bus``        its ``AgentBus``
``neuralcore.compat.atlas_embedding``  its embedding provider
``neuralcore.compat.atlas_vectors``    its cosines, vector stores and query cache
``neuralcore.compat.config``           its configuration, as far as it concerns these
"""
