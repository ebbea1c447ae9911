"""What counts as equal, and the table of what was found. Used by parity.py. Tolerances are those of tests/tolerances.h."""
import re

# The reference's computation, as a Hugging Face configuration has to say it: some of these are not its defaults.
TEXT = {
    "vocab_size": 30524, "layer_norm_eps": 1e-12, "hidden_act": "gelu", "label_smoothing": 0.1, "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1, "bos_token_id": 30522, "sep_token_id": 102, "pad_token_id": 0, "is_decoder": True,
}
VISION = {"layer_norm_eps": 1e-6, "hidden_act": "gelu", "attention_dropout": 0.0, "patch_size": 16}

HEADER = (
    "| model | weights | parameters | image embeds | logits | loss | worst gradient | greedy captions | closest choice "
    "| forward and backward, s | captions, s | peak memory, MiB |"
)


def tolerances(header):
    text = header.read_text()
    found = {n: float(v) for n, v in re.findall(r"inline constexpr double (\w+) = ([^;]+);", text)}
    return {name: found[name] for name in ("image_embeds", "gradients", "zero_gradient", "parity_logits", "parity_loss", "clip_scores")}


def count_equal(left, right):
    return sum(a == b for a, b in zip(left, right, strict=True))


class Report:
    def __init__(self, header):
        self.limits = tolerances(header)
        self.lines, self.notes = [], []
        self.passed_count = self.failed_count = self.skipped_count = 0

    def check(self, name, good, why):
        if good:
            self.passed_count += 1
        else:
            self.failed(name, why)

    def failed(self, name, why):
        self.failed_count += 1
        print(f"FAILED: {name}: {why}", flush=True)

    def skip(self, name, why):
        self.skipped_count += 1
        print(f"skipped: {name} ({why})", flush=True)

    def at_most(self, name, value, limit):
        self.check(name, value <= self.limits[limit], f"{value:.2g}, at most {self.limits[limit]:.2g}")

    def files(self, results):
        for name, wrong in results.items():
            self.check(name, not wrong, wrong)

    def row(self, row, ours, theirs, searched):
        name = f"{row.title}, {row.direction}"
        self.check(f"{name}: loading", not theirs["loading"], str(theirs["loading"]))
        for part, expected in (("text", TEXT), ("vision", VISION)):
            found = theirs["config"][part]
            other = {key: found.get(key) for key, value in expected.items() if found.get(key) != value}
            self.check(f"{name}: {part} configuration", not other, f"has {other}, the reference {expected}")
        self.check(f"{name}: pixels", theirs["same_pixels"], "the processor's differ from blip_mpi's")
        self.check(f"{name}: token ids", theirs["same_ids"], "the processor's differ from blip_mpi's")
        if not theirs["same_ids"]:
            return
        of_loss = abs(theirs["losses"][0] - theirs["losses"][1])
        self.at_most(f"{name}: image_embeds", theirs["image_embeds"], "image_embeds")
        self.at_most(f"{name}: logits", theirs["logits"], "parity_logits")
        self.at_most(f"{name}: loss", of_loss, "parity_loss")
        worst = self.gradients(name, theirs["gradients"])
        equal = self.captions(name, row, theirs, searched)
        lead = theirs["beams_1"]["margin"]
        self.lines.append(
            f"| {row.title} | {row.direction} | {theirs['parameters'] / 1e6:.1f} M | {theirs['image_embeds']:.1e} "
            f"| {theirs['logits']:.1e} of {theirs['largest_logit']:.1f} | {of_loss:.1e} of {theirs['losses'][1]:.2f} | {worst:.1e} "
            f"| {equal} of {len(row.pictures)} | {lead:.1e} | {ours['seconds']:.1f}, HF {theirs['seconds']:.1f} "
            f"| {searched[1]['seconds']:.0f}, HF {theirs['beams_1']['seconds']:.0f} "
            f"| {ours['peak_kib'] / 1024:.0f}, HF {theirs['peak_mib']:.0f} |"
        )

    def gradients(self, name, found):
        self.check(f"{name}: parameters", not found["only_ours"] and not found["only_theirs"],
                   f"only in blip_mpi {found['only_ours'][:5]}, only in Hugging Face's {found['only_theirs'][:5]}")
        worst = max(found["of"], key=lambda n: found["of"][n]["difference"])
        value = found["of"][worst]["difference"]
        self.at_most(f"{name}: {len(found['of'])} gradients, worst {worst}", value, "gradients")
        zero = max(max(pair) for pair in found["zero"].values()) / found["largest"]
        self.at_most(f"{name}: {len(found['zero'])} gradients of key biases against the largest", zero, "zero_gradient")
        if "ours_to_exact" in found["of"][worst]:
            pair = [max(row[side] for row in found["of"].values()) for side in ("ours_to_exact", "theirs_to_exact")]
            self.notes.append(f"{name}: worst gradient against double precision {pair[0]:.1e}, HF {pair[1]:.1e}")
        return value

    def captions(self, name, row, theirs, searched):
        equal = 0
        for beams, ours in searched.items():
            wanted = theirs[f"beams_{beams}"]["captions"]
            differing = [pair for pair in zip(row.pictures, ours["captions"], wanted) if pair[1] != pair[2]]
            self.check(f"{name}: captions, {beams} beams", not differing, f"{len(differing)} differ, among them {differing[:2]}")
            if beams > 1:
                continue
            equal = count_equal(ours["captions"], wanted)
            self.notes.append(f"{name}: {len(set(wanted))} different greedy captions, such as '{wanted[0]}'")
            if row.expected is not None:
                same = count_equal(ours["captions"], row.expected)
                self.check(f"{name}: the reference's own captions", same == len(wanted), f"{same} of {len(wanted)} are equal")
        return equal

    def finish(self):
        if self.lines:
            print("\n".join([HEADER, "|---" * (HEADER.count("|") - 1) + "|", *self.lines, ""]))
        print("\n".join(self.notes))
        print(f"{self.passed_count} passed, {self.failed_count} failed, {self.skipped_count} skipped")
        return 1 if self.failed_count or not self.passed_count else 0
