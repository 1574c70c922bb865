"""What a client is told when something inside goes wrong."""

from __future__ import annotations

import httpx
from fastapi import FastAPI

from chatbot.web.problem import install


async def test_a_model_that_is_late_is_a_problem_to_try_again_with() -> None:
    app = FastAPI()
    install(app)

    @app.get("/late")
    async def late() -> None:
        raise TimeoutError

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        response = await client.get("/late")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert "in time" in response.json()["detail"]
