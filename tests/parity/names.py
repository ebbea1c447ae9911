"""Parameter names: the reference's to Hugging Face's, written from the table that describes them and not from the C++ code,
so that each checks the other. Used by the other modules here."""
import re

VISION = {
    "visual_encoder.cls_token": "vision_model.embeddings.class_embedding",
    "visual_encoder.pos_embed": "vision_model.embeddings.position_embedding",
    "visual_encoder.patch_embed.proj.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual_encoder.patch_embed.proj.bias": "vision_model.embeddings.patch_embedding.bias",
    "visual_encoder.norm.weight": "vision_model.post_layernorm.weight",
    "visual_encoder.norm.bias": "vision_model.post_layernorm.bias",
}
BLOCK = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.qkv": "self_attn.qkv",
    "attn.proj": "self_attn.projection",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


def huggingface_name(reference):
    """The text decoder's names are the same on both sides."""
    if reference.startswith("text_decoder."):
        return reference
    if reference in VISION:
        return VISION[reference]
    block = re.fullmatch(r"visual_encoder\.blocks\.(\d+)\.(.+)\.(weight|bias)", reference)
    if not block or block[2] not in BLOCK:
        raise KeyError(reference)
    return f"vision_model.encoder.layers.{block[1]}.{BLOCK[block[2]]}.{block[3]}"


def is_text_key_bias(reference):
    """The true gradient of an attention key bias is zero: adding the same number to all scores of a softmax changes nothing."""
    return reference.endswith(".self.key.bias")


def is_vision_qkv_bias(reference):
    return reference.endswith(".attn.qkv.bias")


# Tensors that share memory with another parameter; left out of files and of comparisons.
TIED = {
    "text_decoder.cls.predictions.decoder.weight": "text_decoder.bert.embeddings.word_embeddings.weight",
    "text_decoder.cls.predictions.decoder.bias": "text_decoder.cls.predictions.bias",
}
