"""A look at a service over HTTP that may be taken a hundred times: a client of httpx reads every
certificate of the machine when it is made, which takes as long as twenty requests.
"""

import http.client
from urllib.parse import urlsplit


def ask(url: str, seconds: float = 5.0) -> tuple[int, bytes] | None:
    """Get what is there: status and body; `None` where nobody answers in time."""
    parts = urlsplit(url)
    assert parts.scheme == "http"
    connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
    try:
        connection.request("GET", url.removeprefix(f"http://{parts.netloc}"))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def is_ready(*urls: str) -> bool:
    """Say whether each of these services is ready."""
    looks = (ask(f"{url}/health/ready") for url in urls)
    return all(look is not None and look[0] == http.client.OK for look in looks)
