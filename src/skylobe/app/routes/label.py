"""Routes of the label tab: tags, the next sources to look at, a training table."""

from typing import Literal

from fastapi import APIRouter, Response

from skylobe.app import training_table
from skylobe.app.routes.shared import Count, Name, Workers, file_answer
from skylobe.app.schema import (
    NewTag,
    Proposal,
    ProposalAnswer,
    SourceFacts,
    TagFacts,
    TagRequest,
    TrainingRequest,
)
from skylobe.app.state import State
from skylobe.app.tags import counts


def add(router: APIRouter, state: State, workers: Workers) -> None:
    """Put the routes into a router."""
    _tagging(router, state, workers)
    _making(router, state, workers)
    _learning(router, state, workers)


def _facts(state: State) -> TagFacts:
    tagged, keys = state.tags.all(), state.tags.keys()
    found = dict.fromkeys(keys, 0) | counts(tagged)
    return TagFacts(tags=found, keys=keys, looked_at=len(tagged))


def _tagging(router: APIRouter, state: State, workers: Workers) -> None:
    @router.get("/tags", tags=["label"])
    async def tags() -> TagFacts:
        """Count the sources of each tag."""
        return await workers.search(_facts, state)

    @router.post("/tags", tags=["label"])
    async def change(asked: TagRequest) -> TagFacts:
        """Tag sources or take tags off; it is on the disk when this is answered."""

        def changed() -> TagFacts:
            state.index.rows_of(asked.ids)  # refuses what is not in the index
            if asked.forget:
                state.tags.forget(asked.ids)
            else:
                state.tags.change(asked.ids, asked.add, asked.remove)
            return _facts(state)

        return await workers.tag(changed)

    @router.get("/tags/sources", tags=["label"])
    async def tagged_sources(tag: Name | None = None, n: Count = 60) -> list[SourceFacts]:
        """List the sources that were looked at last, or those with a tag."""

        def listed() -> list[SourceFacts]:
            found = [
                one
                for one, own in reversed(list(state.tags.all().items()))
                if one in state.index and (tag is None or tag in own)
            ]
            return state.sources(state.index.rows_of(found[:n]))

        return await workers.search(listed)


def _making(router: APIRouter, state: State, workers: Workers) -> None:
    @router.post("/tags/new", tags=["label"])
    async def make(asked: NewTag) -> TagFacts:
        """Make a tag, which no source has yet."""
        await workers.tag(state.tags.make, asked.tag)
        return await workers.search(_facts, state)

    @router.post("/tags/unmade", tags=["label"])
    async def unmake(asked: NewTag) -> TagFacts:
        """Take a tag back that no source has."""
        await workers.tag(state.tags.unmake, asked.tag)
        return await workers.search(_facts, state)


def _learning(router: APIRouter, state: State, workers: Workers) -> None:
    @router.get("/tags/next", tags=["label"])
    async def propose(
        by: Literal["uncertainty", "similarity", "chance"] = "uncertainty",
        tag: Name | None = None,
        n: Count = 12,
    ) -> ProposalAnswer:
        """Learn from the tags, and propose the next sources to look at."""

        def chosen() -> ProposalAnswer:
            found = state.proposer.propose(state.tags.all(), by, tag=tag, n=n)
            told = zip(state.sources(found.rows), found.guesses, strict=True)
            return ProposalAnswer(
                by=found.by,
                seconds=found.seconds,
                sources=[Proposal(**dict(one), guesses=guesses) for one, guesses in told],
            )

        return await workers.search(chosen)

    @router.post("/tags/table", tags=["label"], response_class=Response)
    async def table(asked: TrainingRequest) -> Response:
        """Pack the tagged sources as a table with images, which skylobe finetune learns from."""

        def packed() -> bytes:
            return training_table.pack(state.index, state.tags.all(), asked.classes)

        return file_answer("training_table.zip", await workers.search(packed))
