"""Makes a fast int8 network of a BERT's ONNX file: ``python -m neuralcore.convert``.

Needs the extra ``convert`` (onnx, onnxruntime, tokenizers); no torch. The build makes the default
model's int8 network with it, and it does the same for any model of BERT's kind.
"""
