"""A local OpenAI Batch API: strict, deterministic, with faults on demand.

``python -m local.openai --port 8080`` serves it alone; in a test::

    from local.openai import serve

    with serve() as server:
        client = OpenAI(base_url=server.base_url, api_key="any", max_retries=0)
        server.admin.fault("batches.create", "reset_after")
"""

from local.openai.admin import Admin
from local.openai.server import Options, Server, running, serve
from local.openai.upstream import UpstreamOptions

__all__ = ["Admin", "Options", "Server", "UpstreamOptions", "running", "serve"]
