#!/usr/bin/env python3
"""A Service proxy in one file: cluster IPs and NodePorts over one nftables table, chosen at random.

It follows Services and EndpointSlices with list and watch, and writes its whole table anew, in one
transaction, after every change. It knows nothing of session affinity, traffic policies, other kinds
of addresses, or connection tracking. It needs Python 3.9 and nft, and nothing else.
"""

from __future__ import annotations

import base64
import json
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

VERSION = "tiny-nft v0.1"
RESOURCES = ("/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices")
FAMILIES = {"IPv4": ("ip", "ipv4_addr"), "IPv6": ("ip6", "ipv6_addr")}
Object = dict[str, Any]


class Api:
    """The API server, as a kubeconfig in JSON with a token, or files as pods have, describes it."""

    def __init__(self, kubeconfig: str) -> None:
        config = json.loads(read(kubeconfig))
        cluster, self._user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server = cluster["server"]
        if "certificate-authority" in cluster:
            authority = read(cluster["certificate-authority"])
        else:
            authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)

    def get(self, path: str) -> Any:
        """The answer to a GET request, to be read as it comes."""
        file = self._user.get("tokenFile")  # a pod's is replaced from time to time
        headers = {"Authorization": f"Bearer {read(file) if file else self._user['token']}"}
        request = urllib.request.Request(self._server + path, headers=headers)  # noqa: S310
        return urllib.request.urlopen(request, context=self._tls)  # noqa: S310


def read(path: str) -> str:
    """The text of a file."""
    with open(path) as file:  # noqa: PTH123
        return file.read()


class Store:
    """All objects of the followed resources, as new as the watches have told."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._objects: dict[str, dict[str, Object]] = {}
        self._changes = 0
        self._changed = threading.Condition()
        for path in RESOURCES:
            threading.Thread(target=self._follow, args=(path,), daemon=True).start()

    def changes(self) -> Iterator[list[list[Object]]]:
        """All objects, by resource, after every change; once all resources have been listed."""
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._changes and len(self._objects) == len(RESOURCES)
                )
                self._changes = 0
                objects = [list(self._objects[path].values()) for path in RESOURCES]
            yield objects

    def _follow(self, path: str) -> None:
        while True:
            try:
                self._list_and_watch(path)
            except (OSError, ValueError, KeyError) as problem:
                print(f"{path}: {problem}; listing again", flush=True)
                time.sleep(0.2)

    def _list_and_watch(self, path: str) -> None:
        with self._api.get(path) as answer:
            found = json.load(answer)
        self._put(path, {each["metadata"]["uid"]: each for each in found["items"]})
        version = found["metadata"]["resourceVersion"]
        with self._api.get(f"{path}?watch=true&resourceVersion={version}") as answer:
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ValueError(event["object"].get("message"))
                objects = dict(self._objects[path])
                objects.pop(event["object"]["metadata"]["uid"], None)
                if event["type"] != "DELETED":
                    objects[event["object"]["metadata"]["uid"]] = event["object"]
                self._put(path, objects)

    def _put(self, path: str, objects: dict[str, Object]) -> None:
        with self._changed:
            self._objects[path] = objects
            self._changes += 1
            self._changed.notify()


def endpoints(
    service: Object, port: Object, family: str, slices: list[Object]
) -> list[tuple[str, int]]:
    """Address and port of every usable endpoint of a port of a Service, in order, each once."""
    ready, last = set(), set()
    for each in slices:
        found = [
            entry["port"]
            for entry in each.get("ports") or []
            if (entry.get("name") or "") == port.get("name", "")
            and entry.get("protocol", "TCP") == port["protocol"]
            and entry.get("port")
        ]
        labels = each["metadata"].get("labels", {})
        if (
            not found
            or each["addressType"] != family
            or each["metadata"]["namespace"] != service["metadata"]["namespace"]
            or labels.get("kubernetes.io/service-name") != service["metadata"]["name"]
            or "service.kubernetes.io/headless" in labels
        ):
            continue
        for endpoint in each.get("endpoints") or []:
            conditions = endpoint.get("conditions") or {}
            address = (endpoint["addresses"][0], found[0])
            if conditions.get("ready") is not False:
                ready.add(address)
            elif conditions.get("serving") and conditions.get("terminating"):
                last.add(address)
    return sorted(ready or last)


def table(services: list[Object], slices: list[Object], node: dict[str, str]) -> str:
    """The nft commands that replace the table by one for these objects."""
    elements: dict[str, list[str]] = {}
    chains: list[str] = []
    for service in services:
        spec = service["spec"]
        if "service.kubernetes.io/service-proxy-name" in service["metadata"].get("labels", {}):
            continue
        for address in spec.get("clusterIPs") or []:
            family = "IPv6" if ":" in address else "IPv4"
            if address == "None":
                continue
            for port in spec["ports"]:
                protocol = port["protocol"].lower()
                frontends = [(f"service-{family}", f"{address} . {protocol} . {port['port']}")]
                if port.get("nodePort"):
                    frontends.append((f"node-{family}", f"{protocol} . {port['nodePort']}"))
                chosen = endpoints(service, port, family, slices)
                for kind, key in frontends:
                    if not chosen:
                        elements.setdefault(f"empty-{kind}", []).append(key)
                        continue
                    elements.setdefault(kind, []).append(f"{key} : goto chain-{len(chains)}")
                    chains.append(chain(len(chains), kind, family, protocol, chosen))
                for host, _ in chosen:
                    elements.setdefault(f"hairpin-{family}", []).append(f"{host} . {host}")
    lines = [
        "table inet tiny-nft {",
        *chains,
        "chain prerouting { type nat hook prerouting priority -100; jump services; }",
        "chain output { type nat hook output priority -100; jump services; }",
        "chain postrouting { type nat hook postrouting priority 100;",
        "ct mark 0x1 masquerade fully-random",
    ]
    lines += [
        f"ct status dnat {ip} saddr . {ip} daddr @hairpin-{f} masquerade"
        for f, (ip, _) in FAMILIES.items()
    ]
    lines += ["}", "chain services {"]
    for family, (ip, _) in FAMILIES.items():
        lines.append(f"{ip} daddr . meta l4proto . th dport vmap @service-{family}")
        lines.append(f"{ip} daddr {node[family]} meta l4proto . th dport vmap @node-{family}")
    lines += ["}", "chain unserved {"]
    for family, (ip, _) in FAMILIES.items():
        lines.append(f"{ip} daddr . meta l4proto . th dport @empty-service-{family} reject")
        lines.append(
            f"{ip} daddr {node[family]} meta l4proto . th dport @empty-node-{family} reject"
        )
    lines.append("}")
    for hook in ("input", "forward", "output"):
        lines.append(f"chain filter-{hook} {{ type filter hook {hook} priority 0;")
        lines.append("ct state new jump unserved")
        lines.append("}")
    sets = []
    for family, (_, kind) in FAMILIES.items():
        service_type = f"{kind} . inet_proto . inet_service"
        node_type = "inet_proto . inet_service"
        sets += [
            declared("map", f"service-{family}", f"{service_type} : verdict", elements),
            declared("map", f"node-{family}", f"{node_type} : verdict", elements),
            declared("set", f"empty-service-{family}", service_type, elements),
            declared("set", f"empty-node-{family}", node_type, elements),
            declared("set", f"hairpin-{family}", f"{kind} . {kind}", elements),
        ]
    head = "add table inet tiny-nft\ndelete table inet tiny-nft\n"
    return head + "\n".join([lines[0], *sets, *lines[1:], "}"]) + "\n"


def declared(word: str, name: str, kind: str, elements: dict[str, list[str]]) -> str:
    """The declaration of a set or map with its elements."""
    items = ", ".join(dict.fromkeys(elements.get(name, [])))
    filled = f"elements = {{ {items} }}" if items else ""
    return f"{word} {name} {{ type {kind}; {filled} }}"


def chain(number: int, kind: str, family: str, protocol: str, chosen: list[tuple[str, int]]) -> str:
    """The chain of one frontend: mark what must be masqueraded, then send to a random endpoint."""
    targets = ", ".join(f"{n} : {host} . {port}" for n, (host, port) in enumerate(chosen))
    mark = "ct mark set 0x1" if kind.startswith("node") else ""
    return (
        f"chain chain-{number} {{ {mark}\n"
        f"meta l4proto {protocol} dnat {FAMILIES[family][0]} addr . port to"
        f" numgen random mod {len(chosen)} map {{ {targets} }}\n}}"
    )


def main(argv: list[str]) -> int:
    """Follow the API and program the kernel until ended: ``KUBECONFIG NODE-IPV4,NODE-IPV6``."""
    if argv == ["--version"]:
        print(VERSION)
        return 0
    # the first process of a container, which it may be, ends only by signals that it handles
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    kubeconfig, addresses = argv
    ipv4, ipv6 = addresses.split(",")
    for services, slices in Store(Api(kubeconfig)).changes():
        text = table(services, slices, {"IPv4": ipv4, "IPv6": ipv6})
        done = subprocess.run(
            ["nft", "-f", "-"], input=text, text=True, capture_output=True, check=False
        )
        if done.returncode:
            print(f"nft refused:\n{done.stderr}\n{text}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
