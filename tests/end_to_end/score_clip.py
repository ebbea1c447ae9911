"""CLIPScore in plain Python, for score_clip.sh: makes small CLIP models with drawn weights in Hugging Face's form, pictures
and captions, and computes what the program must. Nothing of it is taken from the program: the forward pass is written here,
number by number, in double precision.
    score_clip.py make      writes model_a/, model_b/, pictures/, references.json, results.json, other.json
    score_clip.py compare MODEL RESULTS.json PER_IMAGE.json TOLERANCE
"""
import json
import math
import pathlib
import random
import struct
import sys
import unicodedata
import zlib

PICTURES = {"001": (32, 32), "002": (45, 32), "003": (32, 61), "004": (39, 32), "005": (32, 34)}  # width, height
MODELS = {
    "model_a": {"seed": 14, "act": "quick_gelu", "eos": 2, "vision": (24, 40, 2, 3), "text": (20, 36, 2, 4), "size": 12},
    "model_b": {"seed": 13, "act": "gelu", "eos": 565, "vision": (16, 64, 1, 2), "text": (24, 48, 3, 2), "size": 20},
}
POSITIONS, WORDS = 30, 566
OTHER_PIXELS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3]}
CLIP_PIXELS = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}


# ---- files ----
def write_png(path, width, height, pixels):
    """pixels: rows of (r, g, b)."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + bytes(v for pixel in row for v in pixel) for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def drawn_picture(name):
    width, height = PICTURES[name]
    draw = random.Random("picture" + name)
    shade = [[draw.uniform(-4, 4) for _ in range(2)] + [draw.uniform(0, 255)] for _ in range(3)]
    return [[tuple(int(a * x + b * y + c + draw.uniform(-60, 60)) % 256 for a, b, c in shade) for x in range(width)]
            for y in range(height)]


def write_safetensors(path, tensors):
    """tensors: name -> (shape, values); fp32."""
    header, body = {}, b""
    for name, (shape, values) in sorted(tensors.items()):
        data = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def read_safetensors(path):
    data = path.read_bytes()
    length, = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = (entry["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))
    return tensors


# ---- a vocabulary ----
def byte_names():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}


NAMES = byte_names()
MERGES = ["p h", "ph o", "t o</w>", "pho to</w>", "d o", "do g</w>", "d e", "de p", "i c", "ic t", "ict s</w>", "dep icts</w>", "a n", "an d</w>",
          "c a", "ca t</w>", "r u", "n n", "ru nn", "i n", "in g</w>", "runn ing</w>", "t h", "th e</w>", "' s</w>", "o n</w>",
          "Ã ¤", "! !</w>", "1 2</w>", "a a", "aa a</w>", "a a</w>", "s t", "st r", "ee t</w>", "e e", "str eet</w>", "s i", "si t", "sit s</w>",
          "gr a", "g r", "gra s", "gras s</w>", "b al", "a l", "b all</w>", "al l</w>", "re d</w>", "r e", "o ld</w>", "l d</w>"]


def vocabulary():
    """Token -> id, and merges: those whose halves are there by then."""
    names, merges = [*NAMES.values(), *(name + "</w>" for name in NAMES.values())], []
    for pair in MERGES:
        left, right = pair.split()
        if left in names and right in names:
            merges.append(pair)
            names.append(left + right)
    assert len(names) < WORDS - 2
    return {name: i for i, name in enumerate(names)} | {"<|startoftext|>": WORDS - 2, "<|endoftext|>": WORDS - 1}, merges


def tokens_of(text, vocabulary, merges):
    ranks = {tuple(pair.split()): i for i, pair in enumerate(merges)}
    text = " ".join(unicodedata.normalize("NFC", text).split()).lower()
    category = lambda c: " " if c.isspace() else "L" if unicodedata.category(c)[0] == "L" else "N" if unicodedata.category(c)[0] == "N" else "S"
    pieces, at = [], 0
    while at < len(text):
        length = next((len(e) for e in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d") if text.startswith(e, at)), 0)
        if not length:
            length = 1
            while category(text[at]) != "N" and at + length < len(text) and category(text[at + length]) == category(text[at]):
                length += 1
        if text[at] != " ":
            pieces.append(text[at:at + length])
        at += length
    ids = []
    for piece in pieces:
        word = [NAMES[b] for b in piece.encode()]
        word[-1] += "</w>"
        while len(word) > 1:
            pairs = [p for p in zip(word, word[1:]) if p in ranks]
            if not pairs:
                break
            best = min(pairs, key=ranks.get)
            joined, i = [], 0
            while i < len(word):
                pair = i + 1 < len(word) and (word[i], word[i + 1]) == best
                joined.append(word[i] + word[i + 1] if pair else word[i])
                i += 2 if pair else 1
            word = joined
        ids += [vocabulary[token] for token in word]
    return [vocabulary["<|startoftext|>"], *ids[:POSITIONS - 2], vocabulary["<|endoftext|>"]]


# ---- a model ----
def shapes(model):
    size = model["size"]

    def blocks(name, width, inner, depth, _heads):
        found = {}
        for i in range(depth):
            for part in ("layer_norm1", "layer_norm2"):
                found |= {f"{name}.{i}.{part}.weight": [width], f"{name}.{i}.{part}.bias": [width]}
            for part in "qkv":
                found |= {f"{name}.{i}.self_attn.{part}_proj.weight": [width, width], f"{name}.{i}.self_attn.{part}_proj.bias": [width]}
            found |= {f"{name}.{i}.self_attn.out_proj.weight": [width, width], f"{name}.{i}.self_attn.out_proj.bias": [width]}
            found |= {f"{name}.{i}.mlp.fc1.weight": [inner, width], f"{name}.{i}.mlp.fc1.bias": [inner]}
            found |= {f"{name}.{i}.mlp.fc2.weight": [width, inner], f"{name}.{i}.mlp.fc2.bias": [width]}
        return found

    vision, text = model["vision"][0], model["text"][0]
    found = {"logit_scale": [], "visual_projection.weight": [size, vision], "text_projection.weight": [size, text]}
    found |= {"vision_model.embeddings.class_embedding": [vision], "vision_model.embeddings.patch_embedding.weight": [vision, 3, 8, 8]}
    found |= {"vision_model.embeddings.position_embedding.weight": [17, vision]}
    for norm in ("pre_layrnorm", "post_layernorm"):
        found |= {f"vision_model.{norm}.weight": [vision], f"vision_model.{norm}.bias": [vision]}
    found |= {"text_model.embeddings.token_embedding.weight": [WORDS, text], "text_model.embeddings.position_embedding.weight": [POSITIONS, text]}
    found |= {"text_model.final_layer_norm.weight": [text], "text_model.final_layer_norm.bias": [text]}
    return found | blocks("vision_model.encoder.layers", *model["vision"]) | blocks("text_model.encoder.layers", *model["text"])


def make_model(name):
    model, folder = MODELS[name], pathlib.Path(name)
    folder.mkdir()
    draw = random.Random(model["seed"])
    tensors = {}
    for tensor, shape in shapes(model).items():
        count = math.prod(shape)
        norm = "norm" in tensor and tensor.endswith("weight")
        spread = 1 / math.sqrt(count / shape[0]) if len(shape) > 1 and "embedding" not in tensor else 0.3
        tensors[tensor] = (shape, [draw.gauss(1 if norm else 0, spread) for _ in range(count)])
    write_safetensors(folder / "model.safetensors", tensors)
    half = lambda values: dict(zip(("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"), values)) | {"hidden_act": model["act"]}
    text = half(model["text"]) | {"vocab_size": WORDS, "max_position_embeddings": POSITIONS, "eos_token_id": model["eos"]}
    vision = half(model["vision"]) | {"image_size": 32, "patch_size": 8}
    config = {"model_type": "clip", "projection_dim": model["size"], "text_config": text, "vision_config": vision}
    if name == "model_b":  # old files: the second objects go before the first
        config |= {"text_config_dict": text, "text_config": {"hidden_size": 1}, "vision_config_dict": None}
        pixels = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}, "do_resize": True, "resample": 3} | OTHER_PIXELS
        (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    (folder / "config.json").write_text(json.dumps(config))
    words, merges = vocabulary()
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")


dot = lambda a, b: sum(x * y for x, y in zip(a, b))


class Model:
    def __init__(self, name):
        self.model, self.tensors = MODELS[name], read_safetensors(pathlib.Path(name) / "model.safetensors")
        self.words = json.loads((pathlib.Path(name) / "vocab.json").read_text())
        self.pixels = OTHER_PIXELS if name == "model_b" else CLIP_PIXELS

    def vector(self, name):
        return self.tensors[name][1]

    def rows(self, name):
        shape, values = self.tensors[name]
        width = math.prod(shape[1:])
        return [values[i * width:(i + 1) * width] for i in range(shape[0])]

    def linear(self, name, x):
        return [dot(row, x) + bias for row, bias in zip(self.rows(name + ".weight"), self.vector(name + ".bias"))]

    def norm(self, name, x):
        mean = sum(x) / len(x)
        scale = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + 1e-5)
        return [(v - mean) / scale * w + b for v, w, b in zip(x, self.vector(name + ".weight"), self.vector(name + ".bias"))]

    def activated(self, v):
        if self.model["act"] == "quick_gelu":
            return v / (1 + math.exp(-1.702 * v))
        return v * (1 + math.erf(v / math.sqrt(2))) / 2

    def blocks(self, name, sequence, shape, causal):
        width, _, depth, heads = shape
        size = width // heads
        for i in range(depth):
            block = f"{name}.{i}"
            normed = [self.norm(block + ".layer_norm1", x) for x in sequence]
            q, k, v = ([self.linear(f"{block}.self_attn.{part}_proj", x) for x in normed] for part in "qkv")
            mixed = []
            for t in range(len(sequence)):
                seen, row = range(t + 1 if causal else len(sequence)), []
                for h in range(heads):
                    own = slice(h * size, (h + 1) * size)
                    scores = [dot(q[t][own], k[s][own]) / math.sqrt(size) for s in seen]
                    shares = [math.exp(score - max(scores)) for score in scores]
                    row += [sum(share * v[s][h * size + c] for share, s in zip(shares, seen)) / sum(shares) for c in range(size)]
                mixed.append(row)
            sequence = [[a + b for a, b in zip(x, self.linear(block + ".self_attn.out_proj", m))] for x, m in zip(sequence, mixed)]
            inner = [[self.activated(u) for u in self.linear(block + ".mlp.fc1", self.norm(block + ".layer_norm2", x))] for x in sequence]
            sequence = [[a + b for a, b in zip(x, self.linear(block + ".mlp.fc2", y))] for x, y in zip(sequence, inner)]
        return sequence

    def unit(self, name, x):
        found = [dot(row, x) for row in self.rows(name)]
        return [value / math.sqrt(dot(found, found)) for value in found]

    def picture(self, name):
        width, height = PICTURES[name]
        left, top = round((width - 32) / 2), round((height - 32) / 2)
        pixels = [row[left:left + 32] for row in drawn_picture(name)[top:top + 32]]
        level = lambda c, y, x: (pixels[y][x][c] / 255 - self.pixels["image_mean"][c]) / self.pixels["image_std"][c]
        filters = self.rows("vision_model.embeddings.patch_embedding.weight")
        sequence = [list(self.vector("vision_model.embeddings.class_embedding"))]
        for py in range(4):
            for px in range(4):
                patch = [level(c, py * 8 + y, px * 8 + x) for c in range(3) for y in range(8) for x in range(8)]
                sequence.append([dot(one, patch) for one in filters])
        places = self.rows("vision_model.embeddings.position_embedding.weight")
        sequence = [self.norm("vision_model.pre_layrnorm", [a + b for a, b in zip(x, p)]) for x, p in zip(sequence, places)]
        first = self.blocks("vision_model.encoder.layers", sequence, self.model["vision"], False)[0]
        return self.unit("visual_projection.weight", self.norm("vision_model.post_layernorm", first))

    def text(self, text):
        ids = tokens_of("A photo depicts " + text, self.words, vocabulary()[1])
        words, places = (self.rows(f"text_model.embeddings.{kind}_embedding.weight") for kind in ("token", "position"))
        sequence = [[a + b for a, b in zip(words[i], p)] for i, p in zip(ids, places)]
        last = self.blocks("text_model.encoder.layers", sequence, self.model["text"], True)[-1]
        return self.unit("text_projection.weight", self.norm("text_model.final_layer_norm", last))


RESULTS = {"001": "a dog  runs\ton the street", "002": "The CAT'S ball!! and 12 dogs", "003": "a man is taking a walk beside a very, very long red wall in the old town",
           "004": "Kätzchen sitzt", "005": "grass"}
REFERENCES = {"001": ["a dog running", "the dog sits"], "002": ["cats & dogs", "a dog"], "003": ["red"], "004": ["Ka\u0308tzchen sitzt", "the cat sits"],
              "005": ["old grass", "grass", "the grass's"]}


def make():
    for name in MODELS:
        make_model(name)
    pathlib.Path("pictures/deeper").mkdir(parents=True)
    for name, (width, height) in PICTURES.items():
        folder = pathlib.Path("pictures/deeper" if name == "003" else "pictures")
        write_png(folder / (name + ".png"), width, height, drawn_picture(name))
    pathlib.Path("references.json").write_text(json.dumps(REFERENCES))
    pathlib.Path("results.json").write_text(json.dumps(RESULTS))
    pathlib.Path("other.json").write_text(json.dumps({name: "a dog" for name in RESULTS}))


def compare(name, results, per_image, tolerance):
    model = Model(name)
    results = json.loads(pathlib.Path(results).read_text())
    rows = {row["image_id"]: row for row in json.loads(pathlib.Path(per_image).read_text())}
    assert rows.keys() == RESULTS.keys(), rows.keys()
    worst, cosines = 0, []
    for key, caption in results.items():
        own = model.text(caption)
        cosine = dot(model.picture(key), own)
        nearest = max(max(dot(model.text(reference), own) for reference in REFERENCES[key]), 0)
        clip = 2.5 * max(cosine, 0)
        reference_clip = 2 * clip * nearest / (clip + nearest) if clip + nearest > 0 else 0
        cosines.append(cosine)
        for metric, expected in (("CLIPScore", clip), ("RefCLIPScore", reference_clip)):
            worst = max(worst, abs(rows[key][metric] - expected))
            print(f"{key} {metric}: {rows[key][metric]:.6f}, Python {expected:.6f}")
    assert worst <= float(tolerance), f"{worst} is above {tolerance}"
    if results == RESULTS:  # for which seeds were chosen, so that scores differ, and some are cut off at 0
        assert min(cosines) < -0.1 and sum(cosine > 0.05 for cosine in cosines) >= 3, cosines
    print("largest difference", worst)


if __name__ == "__main__":
    make() if sys.argv[1] == "make" else compare(*sys.argv[2:])
