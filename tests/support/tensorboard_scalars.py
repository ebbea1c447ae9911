"""A run's event files in TensorBoard's own hands, beside its log.jsonl. Called by tests/end_to_end/tensorboard.sh in the Python of
env/tensorboard.sh: tensorboard_scalars.py RUN [--torn]

Every curve has each step once, with the log's number (as single precision, which the files have) and time; no other curve is
there. --torn: of a run that was killed: what is there is right, and the last steps may be missing.
"""
import calendar
import json
import pathlib
import struct
import sys
import time

from tensorboard.backend.event_processing.event_accumulator import IMAGES, SCALARS, TENSORS, EventAccumulator

NO_CURVES = 'kind', 'time', 'step', 'epoch', 'step_in_epoch', 'samples'


def single(number):
    return struct.unpack('f', struct.pack('f', number))[0]


def seconds(record):
    return float(calendar.timegm(time.strptime(record['time'], '%Y-%m-%dT%H:%M:%SZ')))


def curves_of(log):
    """{tag: {step: (time, value)}}, by what jobs/README.md says: train/NAME, time_ms/NAME, SPLIT/METRIC."""
    curves = {}
    for record in log:
        values = {}
        if record['kind'] == 'step':
            for name, value in record.items():
                if name not in NO_CURVES and value is not None:
                    values['time_ms/' + name[:-3] if name.endswith('_ms') else 'train/' + name] = value
            values['train/pairs_per_s'] = record['samples'] / (record['step_ms'] / 1000)
        elif record['kind'] == 'evaluation':
            for split, found in record['splits'].items():
                values |= {f'{split}/{name}': value for name, value in found['scores'].items()}
                if 'loss' in found:
                    values[f'{split}/loss'] = found['loss']
        elif record['kind'] in ('run', 'resume'):    # what was done behind it was lost
            for curve in curves.values():
                for step in [step for step in curve if step > record['step']]:
                    del curve[step]
        for tag, value in values.items():
            curves.setdefault(tag, {})[record['step']] = seconds(record), single(value)
    return curves


run, torn = pathlib.Path(sys.argv[1]), '--torn' in sys.argv
lines = (run / 'log.jsonl').read_text().splitlines(keepends=True)
expected = curves_of([json.loads(line) for line in lines if line.endswith('\n')])
reader = EventAccumulator(str(run / 'tensorboard'), size_guidance={SCALARS: 0, IMAGES: 0, TENSORS: 0})
reader.Reload()
tags = reader.Tags()
found = {tag: [(event.step, event.wall_time, event.value) for event in reader.Scalars(tag)] for tag in tags['scalars']}
if torn:
    for tag, events in found.items():
        assert events == [(step, *expected[tag][step]) for step, _, _ in events], tag
        assert [step for step, _, _ in events] == sorted({step for step, _, _ in events}), tag
else:
    assert found.keys() == expected.keys(), (sorted(found), sorted(expected))
    for tag, curve in expected.items():
        assert found[tag] == [(step, *curve[step]) for step in sorted(curve)], (tag, found[tag][:3], list(curve.items())[:3])
    pictures = [tag for tag in tags['images'] if tag.startswith('val/')]
    assert len(pictures) == 6 and all(reader.Images(tag)[-1].encoded_image_string[:2] == b'\xff\xd8' for tag in pictures), tags['images']
    assert 'val/captions' in tags['tensors'], tags['tensors']
print(f'{len(found)} curves, {sum(map(len, found.values()))} numbers')
