#!/usr/bin/env python3
"""Where the time of profiled steps went: kernels and copies of a GPU, or where there is none operators of the CPU without those
they call, from the trace that `blip_mpi train --profile-steps` writes. Called by gpu_first.sh; by hand:

  python3 trace_table.py OUTPUT/profile_rank0.json [ROWS]
"""
import collections
import json
import sys

DEVICE = {'kernel', 'gpu_memcpy', 'gpu_memset'}


def own_times(events):
    """(event, microseconds without those of the events within it), of one thread."""
    above, result = [], []
    for event in sorted(events, key=lambda e: (e['ts'], -e['dur'])):
        while above and event['ts'] >= above[-1][0]['ts'] + above[-1][0]['dur']:
            result.append(tuple(above.pop()))
        if above:
            above[-1][1] -= event['dur']
        above.append([event, event['dur']])
    return result + [tuple(entry) for entry in above]


def main():
    path, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 12
    with open(path, encoding='utf-8', errors='replace') as file:
        events = [e for e in json.load(file)['traceEvents'] if e.get('ph') == 'X' and 'dur' in e]
    timed = [(e, e['dur']) for e in events if e.get('cat') in DEVICE]
    what = 'kernels and copies of the GPU'
    if not timed:
        what = 'operators of the CPU'
        threads = collections.defaultdict(list)
        for event in events:
            if event.get('cat') == 'cpu_op':
                threads[event['pid'], event['tid']].append(event)
        timed = [entry for thread in threads.values() for entry in own_times(thread)]
    names = collections.defaultdict(list)
    for event, microseconds in timed:
        names[event['name']].append(microseconds)
    total = sum(microseconds for _, microseconds in timed)
    print(f'{len(timed)} {what}, {total / 1000:.1f} ms in all')
    for name, times in sorted(names.items(), key=lambda item: -sum(item[1]))[:rows]:
        print(f'{sum(times) / 1000:10.2f} ms {100 * sum(times) / total:5.1f} % {len(times):6} x  {name[:120]}')
    sys.exit(0 if timed else 1)


if __name__ == '__main__':
    main()
