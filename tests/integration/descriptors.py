"""Prints what protobuf messages look like on the wire, one fact a line, sorted.

Run as a program, by the Python whose messages are wanted:
``python descriptors.py PACKAGE FILE[:NAME,NAME...] ...``. PACKAGE is where the generated modules
live; names limit a file to some of its enums and messages.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

from google.protobuf import descriptor_pb2

Field = descriptor_pb2.FieldDescriptorProto


def message_facts(path: str, message: descriptor_pb2.DescriptorProto) -> Iterator[str]:
    """Fields with all that decides their encoding, then what is inside."""
    kind = "map entry" if message.options.map_entry else "message"
    yield f"{kind} {path}"
    for field in message.field:
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else "-"
        yield (
            f"field {path}.{field.name} = {field.number}"
            f" {Field.Type.Name(field.type)} {field.type_name or '-'}"
            f" {Field.Label.Name(field.label)} oneof={oneof}"
            f" optional={field.proto3_optional} default={field.default_value!r}"
        )
    for oneof_decl in message.oneof_decl:
        yield f"oneof {path}.{oneof_decl.name}"
    for nested in message.nested_type:
        yield from message_facts(f"{path}.{nested.name}", nested)
    for enum in message.enum_type:
        yield from enum_facts(f"{path}.{enum.name}", enum)


def enum_facts(path: str, enum: descriptor_pb2.EnumDescriptorProto) -> Iterator[str]:
    """Names and numbers."""
    yield f"enum {path}"
    for value in enum.value:
        yield f"value {path}.{value.name} = {value.number}"


def service_facts(path: str, service: descriptor_pb2.ServiceDescriptorProto) -> Iterator[str]:
    """Methods, what they take and give, and whether they stream."""
    yield f"service {path}"
    for method in service.method:
        asked = ("stream " if method.client_streaming else "") + method.input_type
        given = ("stream " if method.server_streaming else "") + method.output_type
        yield f"method {path}.{method.name}({asked}) returns ({given})"


def file_facts(file: descriptor_pb2.FileDescriptorProto, names: list[str]) -> Iterator[str]:
    """Everything of one file, or only its enums and messages called ``names``."""
    yield f"package {file.package} syntax {file.syntax}"
    if not names:
        for service in file.service:
            yield from service_facts(f"{file.package}.{service.name}", service)
    for message in file.message_type:
        if not names or message.name in names:
            yield from message_facts(f"{file.package}.{message.name}", message)
    for enum in file.enum_type:
        if not names or enum.name in names:
            yield from enum_facts(f"{file.package}.{enum.name}", enum)


def main(package: str, wanted: list[str]) -> None:
    for each in wanted:
        stem, _, names = each.partition(":")
        module = importlib.import_module(f"{package}.{stem}_pb2")
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for fact in sorted(file_facts(file, names.split(",") if names else [])):
            sys.stdout.write(f"{fact}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
