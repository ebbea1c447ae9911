"""One model of Hugging Face's, run over the pictures and captions that parity_batch has run over, in a process of its own (its
peak memory is measured). Called by parity.py in the environment of env/parity.sh:
    huggingface_side.py REQUEST.json RESULT.json
REQUEST: folder, pictures, captions, ours (what parity_batch wrote; may be absent), threads, exact (true: a second pass in
double precision, against which both sides' rounding is measured), tokens (max_length, min_length)."""
import json
import re
import resource
import socket
import sys
import time

from names import TIED, huggingface_name, is_text_key_bias, is_vision_qkv_bias

PROMPT = "a picture of "
PROMPT_LENGTH = 4  # [DEC] a picture of
DEC = 30522


def no_network(*_):
    raise OSError("make parity uses no network")


socket.socket.connect = no_network
start = time.monotonic()
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors import safe_open  # noqa: E402
from transformers import BlipForConditionalGeneration, BlipProcessor  # noqa: E402


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pre_caption(raw):
    """The reference's clean-up of a training caption."""
    text = re.sub(r"([.!\"()*#:;~])", " ", raw.lower())
    text = re.sub(r"\s{2,}", " ", text).rstrip("\n").strip(" ")
    return " ".join(text.split(" ")[:30])


def token_batch(processor, captions):
    encoded = processor.tokenizer(
        [PROMPT + pre_caption(c) for c in captions], padding="longest", truncation=True, max_length=40, return_tensors="pt"
    )
    encoded.input_ids[:, 0] = DEC
    labels = encoded.input_ids.masked_fill(encoded.attention_mask == 0, -100)
    labels[:, :PROMPT_LENGTH] = -100
    return encoded.input_ids, encoded.attention_mask, labels


def pixels_u8(processor, pixel_values):
    """The resized pictures' bytes, from the processor's normalised values."""
    config = processor.image_processor
    mean = torch.tensor(config.image_mean, dtype=torch.float64).view(1, 3, 1, 1)
    std = torch.tensor(config.image_std, dtype=torch.float64).view(1, 3, 1, 1)
    levels = (pixel_values.double() * std + mean) / config.rescale_factor
    assert (levels - levels.round()).abs().max() < 1e-2, "pixel values are no multiples of 1/255"
    return levels.round().to(torch.uint8)


def largest(tensor):
    return tensor.abs().max().item()


def relative(ours, theirs):
    return largest(ours.double() - theirs.double()) / (largest(theirs) or 1.0)


def forward_and_backward(model, pixels, ids, mask, labels):
    model.zero_grad(set_to_none=True)
    begin = time.monotonic()
    out = model(pixel_values=pixels, input_ids=ids, attention_mask=mask, labels=labels)
    out.loss.backward()
    return out, time.monotonic() - begin


def compare_gradients(model, ours, exact):
    """Differences relative to each tensor's largest gradient. exact: gradients in double precision by name, or None."""
    parameters = dict(model.named_parameters())
    names = [n[5:] for n in ours.keys() if n.startswith("grad.")]
    expected = {huggingface_name(n) for n in names if n not in TIED}
    result = {
        "only_ours": sorted(expected - parameters.keys()),
        "only_theirs": sorted(parameters.keys() - expected),
        "largest": max(largest(p.grad) for p in parameters.values()),
        "of": {},
        "zero": {},
    }
    for name in names:
        theirs = parameters[huggingface_name(name)].grad
        got = ours.get_tensor("grad." + name)
        if is_text_key_bias(name):
            result["zero"][name] = [largest(got), largest(theirs)]
            continue
        if is_vision_qkv_bias(name):
            third = got.numel() // 3
            result["zero"][name] = [largest(got[third : 2 * third]), largest(theirs[third : 2 * third])]
        row = {"difference": relative(got, theirs), "largest": largest(theirs)}
        if exact is not None:
            row["ours_to_exact"] = relative(got, exact[huggingface_name(name)])
            row["theirs_to_exact"] = relative(theirs, exact[huggingface_name(name)])
        result["of"][name] = row
    return result


def compare_batch(model, processor, pixels, request, result):
    ours = safe_open(request["ours"], "pt")
    ids, mask, labels = token_batch(processor, request["captions"])
    rows = len(request["captions"])
    result["same_pixels"] = bool(torch.equal(pixels_u8(processor, pixels), ours.get_tensor("images_u8")))
    same_ids = ids.shape == ours.get_tensor("input_ids").shape and torch.equal(ids, ours.get_tensor("input_ids"))
    result["same_ids"] = bool(same_ids and torch.equal(mask.sum(1), ours.get_tensor("lengths")))
    if not result["same_ids"]:
        return
    out, result["seconds"] = forward_and_backward(model, pixels[:rows], ids, mask, labels)
    result["peak_mib"] = peak_mib()
    real = mask.bool()
    logits, wanted = ours.get_tensor("logits")[real].double(), out.logits.detach()[real].double()
    result["image_embeds"] = relative(ours.get_tensor("image_embeds"), out.image_embeds.detach())
    result["logits"] = largest(logits - wanted)
    result["largest_logit"] = largest(wanted)
    result["losses"] = [ours.get_tensor("loss").item(), out.loss.item()]
    exact = None
    if request.get("exact"):
        theirs = {n: p.grad for n, p in model.named_parameters()}
        model.zero_grad(set_to_none=True)
        model.double()
        exact_out, _ = forward_and_backward(model, pixels[:rows].double(), ids, mask, labels)
        exact = {n: p.grad for n, p in model.named_parameters()}
        truth = exact_out.logits.detach()[real]
        result["logits_to_exact"] = [largest(logits - truth), largest(wanted - truth)]
        result["losses_to_exact"] = [x - exact_out.loss.item() for x in result["losses"]]
        model.zero_grad(set_to_none=True)
        model.float()
        for name, parameter in model.named_parameters():
            parameter.grad = theirs[name]
    result["gradients"] = compare_gradients(model, ours, exact)
    model.zero_grad(set_to_none=True)


def generate(model, processor, pixels, request, beams):
    """Captions as a user of Hugging Face's model gets them; for greedy ones also the smallest lead of a chosen token."""
    prompt = processor.tokenizer([PROMPT] * len(pixels), return_tensors="pt")
    begin = time.monotonic()
    with torch.no_grad():
        out = model.generate(
            pixel_values=pixels, input_ids=prompt.input_ids, attention_mask=prompt.attention_mask, num_beams=beams,
            do_sample=False, return_dict_in_generate=True, output_scores=beams == 1, **request["lengths"],
        )
    seconds = time.monotonic() - begin
    rows = out.sequences.tolist()
    texts = processor.batch_decode(out.sequences, skip_special_tokens=True)
    margin = None
    if beams == 1:
        for step, scores in enumerate(out.scores):
            best = scores.topk(2).values
            for row, lead in zip(rows, (best[:, 0] - best[:, 1]).tolist()):
                ended = 102 in row[: PROMPT_LENGTH + step]
                margin = margin if ended or (margin is not None and margin <= lead) else lead
    prompt_characters = len(PROMPT)
    return {"captions": [t[prompt_characters:] for t in texts], "tokens": rows, "seconds": seconds, "margin": margin}


def main():
    with open(sys.argv[1]) as file:
        request = json.load(file)
    torch.set_num_threads(request["threads"])
    result = {"import_seconds": time.monotonic() - start}
    processor = BlipProcessor.from_pretrained(request["folder"], local_files_only=True, use_fast=False)
    model, info = BlipForConditionalGeneration.from_pretrained(
        request["folder"], local_files_only=True, output_loading_info=True
    )
    model.eval()
    result["loading"] = {k: sorted(map(str, v)) for k, v in info.items() if v}
    result["parameters"] = sum(p.numel() for p in model.parameters())
    result["config"] = {"text": model.config.text_config.to_dict(), "vision": model.config.vision_config.to_dict()}
    pictures = [Image.open(name) for name in request["pictures"]]
    pixels = processor(images=pictures, return_tensors="pt").pixel_values
    if request.get("ours"):
        compare_batch(model, processor, pixels, request, result)
    for beams in request["beams"]:
        result[f"beams_{beams}"] = generate(model, processor, pixels, request, beams)
    result["peak_mib_of_all"] = peak_mib()
    with open(sys.argv[2], "w") as file:
        json.dump(result, file, default=str)


main()
