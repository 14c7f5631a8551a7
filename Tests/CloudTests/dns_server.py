"""A real DNS server for the names of a test: dnsmasq, with its own files and nobody behind it."""

import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from cluster import free_ports, wait_until

DOMAIN = "dst.test"


class DNSServer:
    """Serves `addresses` and `services`; everything else under DOMAIN does not exist.

    Addresses are pairs (name, address); services are (name, target, port), aliases (name, name).
    """

    def __init__(self, host="127.0.0.1", port=None, ttl=1, domain=DOMAIN, around=()):
        """`around`: the command that runs a command where the address is."""
        if shutil.which("dnsmasq") is None:
            raise AssertionError("dnsmasq is not installed: apt-get install dnsmasq-base")
        self.host, self.port = host, port or free_ports(1)[0]
        self.ttl, self.domain, self.around = ttl, domain, around
        self.addresses, self.services, self.aliases = [], [], []
        self.directory = Path(tempfile.mkdtemp(prefix="dst-dns-"))
        self.log = self.directory / "log"
        self.process = None

    @property
    def authority(self):
        return f"{self.host}:{self.port}"

    def start(self):
        settings = self._write("settings", self._settings())
        self._write_hosts()
        self.process = subprocess.Popen(
            [*self.around, "dnsmasq", "--keep-in-foreground", f"--conf-file={settings}"],
            stdin=subprocess.DEVNULL,
        )
        wait_until("dnsmasq listens", self._listens, 10)
        return self

    def _settings(self):
        return [
            f"listen-address={self.host}",
            f"port={self.port}",
            "bind-interfaces",
            "no-resolv",
            "no-hosts",
            f"addn-hosts={self.directory / 'hosts'}",
            f"local=/{self.domain}/",
            f"local-ttl={self.ttl}",
            f"pid-file={self.directory / 'pid'}",
            # It would become somebody who may not read these files.
            "user=root",
            "log-queries",
            f"log-facility={self.log}",
            *(f"srv-host={name},{target},{port}" for name, target, port in self.services),
            *(f"cname={name},{target}" for name, target in self.aliases),
        ]

    def _write_hosts(self):
        self._write("hosts", [f"{address} {name}" for name, address in self.addresses])

    def _write(self, name, lines):
        path = self.directory / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def _listens(self):
        assert self.process.poll() is None, f"dnsmasq ended with {self.process.returncode}"
        with socket.create_connection((self.host, self.port), timeout=1):
            return True

    def reload(self):
        """Serves the addresses as they are now. The other kinds need a restart."""
        self._write_hosts()
        self.process.send_signal(signal.SIGHUP)

    def restart(self):
        self.stop()
        return self.start()

    def queries(self, kind, name):
        """How often it was asked."""
        wanted = re.compile(rf"query\[{kind}\] {re.escape(name)} from")
        return len(wanted.findall(self.log.read_text() if self.log.exists() else ""))

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
