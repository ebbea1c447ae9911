#!/usr/bin/env python3
"""Training speed of the base preset's network, loss and optimizer as one would write them in PyTorch: what blip_mpi is compared
with on a GPU. Called by gpu_first.sh; by hand:

  python3 bench_torch.py --micro 128 64 32 --global-batch 256 --modes eager compile --precision autocast

One line a setting: captions/s (the median of --steps optimizer steps, the device waited for), the first step's seconds, with
those of compiling, the most memory allocated. Weights are new, pictures random bytes on the device: nothing is read, cropped or
augmented, padding is not masked, no run is logged or saved, all of which favours PyTorch. --tiny --device cpu: does it run at all.
Exit 1 if a setting failed.
"""
import argparse
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY = 30524
DROPOUT = 0.1
POSITIONS = 512


class Shape:
    """image and patch in pixels; vision: width, layers; text: width, layers, inner width; heads of both."""

    def __init__(self, tiny):
        self.image, self.patch = (64, 16) if tiny else (384, 16)
        self.vision, self.vision_layers = (64, 2) if tiny else (768, 12)
        self.text, self.text_layers, self.inner = (64, 2, 128) if tiny else (768, 12, 3072)
        self.heads = 4 if tiny else 12


def split_heads(x, heads):
    """[batch, length, width] -> [batch, heads, length, width of a head]"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class VisionBlock(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width = shape.vision
        self.heads = shape.heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class VisionEncoder(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width, patches = shape.vision, (shape.image // shape.patch) ** 2
        self.patch_embed = nn.Conv2d(3, width, shape.patch, shape.patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, patches + 1, width))
        self.blocks = nn.ModuleList(VisionBlock(shape) for _ in range(shape.vision_layers))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.register_buffer('mean', torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1))
        self.register_buffer('deviation', torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1))

    def forward(self, bytes_BCHW):
        pixels = (bytes_BCHW / 255 - self.mean) / self.deviation
        x = self.patch_embed(pixels.to(self.patch_embed.weight.dtype)).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1).to(x.dtype), x], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Attention(nn.Module):
    """BERT's: attention, projection, dropout, residual, layer norm."""

    def __init__(self, shape, source):
        super().__init__()
        width = shape.text
        self.heads = shape.heads
        self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(source, width), nn.Linear(source, width)
        self.output, self.norm = nn.Linear(width, width), nn.LayerNorm(width, eps=1e-12)

    def forward(self, x, source, causal):
        q, k, v = (split_heads(part, self.heads) for part in (self.query(x), self.key(source), self.value(source)))
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=DROPOUT, is_causal=causal)
        return self.norm(x + F.dropout(self.output(y.transpose(1, 2).flatten(2)), DROPOUT))


class TextLayer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.self_attention, self.cross_attention = Attention(shape, shape.text), Attention(shape, shape.vision)
        self.fc1, self.fc2 = nn.Linear(shape.text, shape.inner), nn.Linear(shape.inner, shape.text)
        self.norm = nn.LayerNorm(shape.text, eps=1e-12)

    def forward(self, x, image_embeds):
        x = self.cross_attention(self.self_attention(x, x, True), image_embeds, False)
        return self.norm(x + F.dropout(self.fc2(F.gelu(self.fc1(x))), DROPOUT))


class Captioner(nn.Module):
    def __init__(self, shape):
        super().__init__()
        width = shape.text
        self.vision = VisionEncoder(shape)
        self.words, self.positions = nn.Embedding(VOCABULARY, width, padding_idx=0), nn.Embedding(POSITIONS, width)
        self.norm, self.head_norm = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(TextLayer(shape) for _ in range(shape.text_layers))
        self.head, self.bias = nn.Linear(width, width), nn.Parameter(torch.zeros(VOCABULARY))
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, bytes_BCHW, tokens_BT, trained_R, targets_R):
        """The mean loss of the trained tokens: rows of [batch * length]. The head is computed for these alone."""
        image_embeds = self.vision(bytes_BCHW)
        x = self.norm(self.words(tokens_BT) + self.positions.weight[:tokens_BT.shape[1]])
        x = F.dropout(x, DROPOUT)
        for layer in self.layers:
            x = layer(x, image_embeds)
        x = self.head_norm(F.gelu(self.head(x.flatten(0, 1).index_select(0, trained_R))))
        logits = F.linear(x, self.words.weight, self.bias)
        return F.cross_entropy(logits.float(), targets_R, label_smoothing=0.1)


def describe(mode, precision, micro, speed, first, peak, loss):
    """The line of one setting; gpu_first.sh reads it."""
    return (f'torch {mode:7} {precision:8} micro {micro:4}: {speed:8.1f} pairs/s  first step {first:.1f} s  peak {peak:.1f} GiB  '
            f'loss {loss:.4f}')


def measure(options, mode, precision, micro):
    """Runs one setting and describes it."""
    cuda = options.device == 'cuda'
    wait = torch.cuda.synchronize if cuda else lambda: None
    torch.manual_seed(0)
    shape = Shape(options.tiny)
    model = Captioner(shape).to(options.device, torch.bfloat16 if precision == 'bf16' else torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.05, fused=True)
    network = torch.compile(model) if mode == 'compile' else model
    count = max(1, options.global_batch // micro)    # micro-batches of a step
    rows = round(micro * options.trained)
    draw = lambda low, high, size: torch.randint(low, high, size, device=options.device)
    batch = (draw(0, 256, (micro, 3, shape.image, shape.image)).to(torch.uint8), draw(1000, 30000, (micro, options.tokens)),
             torch.randperm(micro * options.tokens, device=options.device)[:rows].sort().values, draw(1000, 30000, (rows,)))
    seconds = []
    for _ in range(options.warm_up + options.steps):
        wait()
        start = time.perf_counter()
        for _ in range(count):
            with torch.autocast(options.device, torch.bfloat16, enabled=precision == 'autocast'):
                loss = network(*batch) / count
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        wait()
        seconds.append(time.perf_counter() - start)
    return describe(mode, precision, micro, count * micro / statistics.median(seconds[options.warm_up:]), seconds[0],
                    torch.cuda.max_memory_allocated() / 2**30 if cuda else 0, loss.item() * count)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--micro', type=int, nargs='+', default=[128], help='captions computed at once, each with a picture')
    parser.add_argument('--global-batch', type=int, default=256, help='captions of an optimizer step')
    parser.add_argument('--modes', nargs='+', choices=['eager', 'compile'], default=['eager', 'compile'])
    parser.add_argument('--precision', nargs='+', choices=['autocast', 'bf16', 'fp32'], default=['autocast'])
    parser.add_argument('--steps', type=int, default=6)
    parser.add_argument('--warm-up', type=int, default=2)
    parser.add_argument('--tokens', type=int, default=26, help='of a caption, padding included')
    parser.add_argument('--trained', type=float, default=11.9, help='tokens of a caption that are trained, on average')
    parser.add_argument('--device', choices=['cuda', 'cpu'], default='cuda')
    parser.add_argument('--tiny', action='store_true', help='a network to try the script with')
    options = parser.parse_args()
    print('PyTorch', torch.__version__, 'on', torch.cuda.get_device_name() if options.device == 'cuda' else 'cpu', flush=True)
    failed = False
    for precision in options.precision:
        for mode in options.modes:
            for micro in options.micro:
                try:
                    print(measure(options, mode, precision, micro), flush=True)
                except Exception as error:    # out of memory, or a compiler that is not there: the others still run
                    failed = True
                    print(f'failed: {mode} {precision} micro {micro}: {type(error).__name__}: {str(error)[:400]}', flush=True)
                if options.device == 'cuda':
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
