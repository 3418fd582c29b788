"""Where should this model run? The flowcharts and the matrix as data, and the advisor that walks them, rules out, ranks and prices.

    from labs.decide.advisor import advise
    from labs.decide.requirements import Requirements
    advise(Requirements(model="nova-lite", requests_per_minute=100))      # in a notebook: a card with both views

requirements -> case (looked up) -> rules (what is out) -> build (what each target would be) -> ranking -> flips -> advisor
"""
