"""Stand-ins for classes of ATLAS, with its names, arguments and results.

``neuralcore.compat.atlas_ncb``  ATLAS's message bus: ``NeuralCognitiveBus``, ``NeuralCoreNCB``
"""
