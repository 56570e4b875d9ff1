"""What the team's routes of customers give."""

from __future__ import annotations

from pydantic import BaseModel, Field


class SessionsEnded(BaseModel):
    """What came of ending a customer's sessions."""

    customer: str
    ended: int = Field(description="Browsers that were signed in; those of before are not counted.")
