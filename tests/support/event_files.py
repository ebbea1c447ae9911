"""TensorBoard's event files, read by their published layout alone: TFRecord frames with masked CRC-32C, and protobuf's wire
format. Used by tests/end_to_end/run_views.sh."""
import pathlib
import struct

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """[(number, value)]: whole numbers, bytes, or the raw bytes of floating-point values."""
    found, at = [], 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            length, at = varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = data[at:at + length], at + length
            assert len(value) == length
        found.append((key >> 3, value))
    return found


def records(file):
    data, at = file.read_bytes(), 0
    while at < len(data):
        length, crc = struct.unpack_from('<QI', data, at)
        assert crc == masked_crc(data[at:at + 8]), f'{file}: length at {at}'
        body = data[at + 12:at + 12 + length]
        assert struct.unpack_from('<I', data, at + 12 + length)[0] == masked_crc(body), f'{file}: record at {at}'
        yield body
        at += 16 + length


def read(folder):
    """{tag: {step: value}}; value: a float, (height, width, bytes) of a picture, bytes of a text or of a plugin's content.
    A start of a session forgets what earlier events had of its step and later ones, as readers do."""
    files = list(pathlib.Path(folder).iterdir())
    assert len(files) == 1 and files[0].name.startswith('events.out.tfevents.'), files
    tags, first = {}, True
    for record in records(files[0]):
        event = dict(fields(record))
        if first:
            assert event[3] == b'brain.Event:2', event
            first = False
        step = event.get(2, 0)
        if 7 in event:
            assert dict(fields(event[7])) == {1: 1}
            for steps in tags.values():
                for late in [s for s in steps if s >= step]:
                    del steps[late]
        for _, value in fields(event.get(5, b'')):
            value = dict(fields(value))
            if 2 in value:
                got = struct.unpack('<f', value[2])[0]
            elif 4 in value:
                image = dict(fields(value[4]))
                got = image[1], image[2], image[4]
            elif 8 in value:
                assert dict(fields(dict(fields(value[9]))[1])) == {1: b'text'}
                got = dict(fields(value[8]))[8]
            else:
                got = dict(fields(dict(fields(value[9]))[1]))
            tags.setdefault(value[1].decode(), {})[step] = got
    return tags
