"""An agent under everything that can go wrong, and a checker that compares three ledgers.

``make chaos``, or ``python -m tests.chaos``; ``tests/integration/test_chaos.py`` runs a slice of
it. Read ``run.py`` first. Only the launcher and the table of steps know the inside of the agent;
all the rest sees it as a farm does. The tests here need no agent.
"""
