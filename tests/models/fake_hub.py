"""A model hub on the loopback interface: as much of its protocol as a model folder needs."""

import base64
import contextlib
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Hub:
    """What the hub holds: the files of each commit of each model, newest last."""

    def __init__(self):
        self.commits, self.private, self.asked, self.cards = {}, {}, [], []
        self.answer = None  # a status that every request gets
        self.url = ""

    def add(self, hub_id, files):
        """Commit files on top of what is there; give the commit's name."""
        versions = self.commits.setdefault(hub_id, {})
        whole = {**(list(versions.values())[-1] if versions else {}), **files}
        name = hashlib.sha1(repr((len(versions), sorted(whole.items()))).encode()).hexdigest()
        versions[name] = whole
        return name

    def find(self, hub_id, revision):
        versions = self.commits.get(hub_id)
        if not versions:
            return 401, "RepoNotFound", None
        name = list(versions)[-1] if revision == "main" else revision
        return (200, "", name) if name in versions else (404, "RevisionNotFound", None)

    def get(self, path):
        """Answer a GET: status, headers, body."""
        info = re.fullmatch(r"/api/models/(\w+/[\w-]+)/(revision|tree)/(\w+)", path)
        file = re.fullmatch(r"/(\w+/[\w-]+)/resolve/(\w+)/([\w.]+)", path)
        if not info and not file:
            return 404, {}, b"{}"
        hub_id, revision = (info[1], info[3]) if info else (file[1], file[2])
        status, code, name = self.find(hub_id, revision)
        if name is None:
            return status, {"X-Error-Code": code}, b"{}"
        files = self.commits[hub_id][name]
        if file:
            body = files[file[3]]
            return 200, {"ETag": f'"{oid(body)}"', "X-Repo-Commit": name}, body
        if info[2] == "tree":
            tree = [
                {"type": "file", "path": one, "size": len(body), "oid": oid(body)}
                for one, body in files.items()
            ]
            return 200, {}, json.dumps(tree).encode()
        return 200, {}, json.dumps({"id": hub_id, "sha": name, "siblings": []}).encode()

    def post(self, path, body):
        """Answer a POST, as JSON."""
        if path == "/api/validate-yaml":
            self.cards.append(json.loads(body)["content"])
            return {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            asked = json.loads(body)
            hub_id = f"{asked['organization']}/{asked['name']}"
            self.private[hub_id] = asked.get("visibility") == "private" or asked.get("private")
            self.commits.setdefault(hub_id, {})
            return {"url": f"{self.url}/{hub_id}", "name": hub_id}
        hub_id = "/".join(path.split("/")[3:5])
        if "/preupload/" in path:
            paths = [one["path"] for one in json.loads(body)["files"]]
            files = [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]
            return {"files": files}
        lines = [json.loads(line) for line in body.splitlines()]
        added = [one["value"] for one in lines if one["key"] == "file"]
        name = self.add(hub_id, {one["path"]: base64.b64decode(one["content"]) for one in added})
        return {"commitUrl": f"{self.url}/{hub_id}/commit/{name}", "commitOid": name}


def oid(body):
    return hashlib.sha1(body).hexdigest()


@contextlib.contextmanager
def serving():
    """Run a hub until the block ends."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = urlsplit(self.path).path
            hub.asked.append(path)
            status, headers, body = (hub.answer, {}, b"{}") if hub.answer else hub.get(path)
            self.send(status, headers, body)

        do_HEAD = do_GET

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hub.asked.append(urlsplit(self.path).path)
            if hub.answer:
                return self.send(hub.answer, {}, b"{}")
            answer = hub.post(urlsplit(self.path).path, body)
            return self.send(200, {}, json.dumps(answer).encode())

        def send(self, status, headers, body):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
