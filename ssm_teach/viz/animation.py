"""Placeholder until the next commit."""


def animation(anim, *, alt):
    raise NotImplementedError
