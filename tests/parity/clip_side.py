"""Hugging Face's side of CLIPScore: makes a CLIP model with random weights and a vocabulary, saves it as transformers does, and
computes CLIPScore and RefCLIPScore with CLIPModel and CLIPProcessor. Called by clip_rows.py:
    clip_side.py FOLDER tiny|base32 SEED REQUEST.json RESULT.json
request: {"pictures": [...], "captions": [...], "references": [[...], ...]}, the last two by caption, which get the pictures in
turn; result: which, and the scores."""
import json
import pathlib
import sys

import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizerFast

SHAPES = {  # those of openai/clip-vit-base-patch32 are the classes' defaults
    "tiny": {
        "projection_dim": 32,
        "text_config": {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
                        "max_position_embeddings": 40},
        "vision_config": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
                          "image_size": 64, "patch_size": 16, "hidden_act": "gelu"},
    },
    "base32": {"projection_dim": 512, "text_config": {}, "vision_config": {}},
}
START, END = "<|startoftext|>", "<|endoftext|>"
BATCH = 16


def make_tokenizer(folder, corpus, words):
    """As many words as the model has rows, learnt from captions, with all bytes as CLIP's vocabulary has them."""
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=1500, initial_alphabet=letters, end_of_word_suffix="</w>", show_progress=False)
    learner.train_from_iterator((text.lower() for text in corpus), trainer)
    names, merges = letters + [letter + "</w>" for letter in letters], []
    for left, right in json.loads(learner.to_str())["model"]["merges"]:
        if left in names and right in names and left + right not in names:
            merges.append(f"{left} {right}")
            names.append(left + right)
    ids = {name: i for i, name in enumerate(names)} | {START: words - 2, END: words - 1}
    (folder / "made_vocab.json").write_text(json.dumps(ids))
    (folder / "made_merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    tokenizer = CLIPTokenizerFast(str(folder / "made_vocab.json"), str(folder / "made_merges.txt"))
    for name in ("made_vocab.json", "made_merges.txt"):
        (folder / name).unlink()
    return tokenizer, len(merges)


def make(folder, shape, seed, request):
    torch.manual_seed(seed)
    shape = json.loads(json.dumps(SHAPES[shape]))
    words = shape["text_config"].setdefault("vocab_size", 3000) if shape["text_config"] else 49408
    shape["text_config"] |= {"bos_token_id": words - 2, "eos_token_id": words - 1}
    model = CLIPModel(CLIPConfig(**shape)).eval()
    with torch.no_grad():  # fresh weights are so small that texts would hardly differ
        for name, parameter in model.named_parameters():
            if "embedding" in name or ("layers" in name and parameter.dim() > 1):
                parameter.mul_(3 if "embedding" in name else 2)
            if name.endswith("bias"):
                parameter.normal_(0, 0.02)
    tokenizer, merges = make_tokenizer(folder, request["captions"], words)
    tokenizer.model_max_length = model.config.text_config.max_position_embeddings
    side = model.config.vision_config.image_size
    pictures = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    return model, CLIPProcessor(pictures, tokenizer), merges


def same_middle(path, side):
    """transformers rounds the crop's place down, CLIP's own transform halves to even: they differ for 1.5, 3.5, ..."""
    width, height = Image.open(path).size
    longer = side * max(width, height) // min(width, height)
    return (longer - side) % 4 != 3


def unit(features):
    return features / features.norm(dim=-1, keepdim=True)


@torch.no_grad()
def of_texts(model, processor, texts):
    texts = ["A photo depicts " + text for text in texts]
    found = []
    for begin in range(0, len(texts), BATCH):
        tokens = processor(text=texts[begin:begin + BATCH], return_tensors="pt", padding=True, truncation=True)
        found.append(unit(model.get_text_features(**tokens)))
    return torch.cat(found)


@torch.no_grad()
def of_pictures(model, processor, pictures):
    images = [Image.open(path) for path in pictures]
    return unit(model.get_image_features(**processor(images=images, return_tensors="pt")))


def main():
    folder, shape, seed, request, result = sys.argv[1:6]
    folder, request = pathlib.Path(folder), json.loads(pathlib.Path(request).read_text())
    folder.mkdir()
    model, processor, merges = make(folder, shape, int(seed), request)
    side = model.config.vision_config.image_size
    good = [path for path in request["pictures"] if same_middle(path, side)]
    used = [good[i % len(good)] for i in range(len(request["captions"]))]
    pictures = of_pictures(model, processor, used)
    captions = of_texts(model, processor, request["captions"])
    cosines = (pictures * captions).sum(-1)
    if cosines.mean() < 0:  # else all scores would be 0
        with torch.no_grad():
            model.visual_projection.weight.neg_()
        cosines = -cosines
    clip = 2.5 * cosines.clamp(min=0)
    pairs = zip(request["references"], captions, strict=True)
    nearest = torch.stack([(of_texts(model, processor, own) @ caption).max() for own, caption in pairs]).clamp(min=0)
    harmonic = 2 * clip * nearest / (clip + nearest)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    scores = {"CLIPScore": clip.tolist(), "RefCLIPScore": torch.nan_to_num(harmonic).tolist()}
    parameters = sum(p.numel() for p in model.parameters())
    pathlib.Path(result).write_text(json.dumps({"used": used, "scores": scores, "merges": merges, "parameters": parameters}))


main()
