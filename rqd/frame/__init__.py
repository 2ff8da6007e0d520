"""Frames: from a request to a reported end.

A reader who follows one frame passes the files in this order: ``spec`` (what was asked),
``launching`` (as whom), ``roster`` (may it run here), ``lifecycle`` (its life, top to bottom),
``records`` (what is kept on disk), ``statedisk`` (that disk in trouble), ``environment`` and
``chain`` (what is executed), ``supervisor`` (the running thing), ``members`` and ``ladder``
(ending it), ``exits`` (how it ended), ``remains`` (what is left of it until Cuebot knows).

Of frames that an earlier agent started tell ``recovery``, ``recall``, ``survivor``, ``adopted``,
``latelogs`` and ``leftovers``.
"""
