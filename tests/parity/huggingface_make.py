"""Random weights as Hugging Face makes and saves them, with the reference's values in the configuration. Called by parity.py:
    huggingface_make.py FOLDER base|large SEED VOCABULARY"""
import sys

import torch
from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

VISION = {
    "tiny": {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 192, "image_size": 96},
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
}
TEXT = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}


def main():
    folder, model_name, seed, vocabulary = sys.argv[1:5]
    torch.manual_seed(int(seed))
    vision = {"image_size": 384, "patch_size": 16, "layer_norm_eps": 1e-6, "initializer_range": 0.02} | VISION[model_name]
    text = TEXT | {"vocab_size": 30524, "encoder_hidden_size": vision["hidden_size"], "layer_norm_eps": 1e-12}
    text |= {"label_smoothing": 0.1, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    model = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision))
    model.save_pretrained(folder)
    tokenizer = BertTokenizerFast(vocabulary)
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    tokenizer.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
    size = {"height": vision["image_size"], "width": vision["image_size"]}
    BlipProcessor(BlipImageProcessor(size=size), tokenizer).save_pretrained(folder)


main()
