"""A router as one would write it in an afternoon: lists searched from front to end, nothing remembered, nothing quick.

It says what each session must receive, in order. It shares no code with the router but the plain options.
"""
