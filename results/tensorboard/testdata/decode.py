"""Prints the events of the event files of a folder as JSON, one per line.

Knows nothing of the writer: the record format is read with struct, the checksum
is CRC-32C computed bit by bit, messages are taken apart by wire type.
"""
import glob
import json
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def check(data, masked):
    rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
    crc = ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF
    assert crc == crc32c(data), "checksum"


def records(stream):
    while header := stream.read(12):
        (length,) = struct.unpack("<Q", header[:8])
        check(header[:8], struct.unpack("<I", header[8:])[0])
        payload = stream.read(length)
        check(payload, struct.unpack("<I", stream.read(4))[0])
        yield payload


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 1:
            (value,) = struct.unpack_from("<d", data, at)
            at += 8
        elif wire == 5:
            (value,) = struct.unpack_from("<f", data, at)
            at += 4
        elif wire == 2:
            length, at = varint(data, at)
            value = data[at : at + length]
            at += length
        yield number, value


for path in sorted(glob.glob(sys.argv[1] + "/events.out.tfevents.*")):
    with open(path, "rb") as stream:
        for payload in records(stream):
            out = {"step": 0, "scalars": {}}
            for number, value in fields(payload):
                if number == 1:
                    out["time"] = value
                elif number == 2:
                    out["step"] = value
                elif number == 3:
                    out["version"] = value.decode()
                elif number == 5:
                    for _, summary in fields(value):
                        point = dict(fields(summary))
                        out["scalars"][point[1].decode()] = point[2]
                elif number == 7:
                    out["session"] = dict(fields(value))[1]
            print(json.dumps(out))
