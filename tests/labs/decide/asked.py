"""Requirements that several tests of the advisor ask about."""

from labs.decide.requirements import Requirements

FLAGSHIP = Requirements(
    model="llama-3-70b",
    custom_weights=True,
    training_data_kept=False,
    control="container",
    region="us-east-1",
    requests_per_minute=100,
    input_tokens=500,
    output_tokens=200,
)
"""The textbook's question, with what it leaves out filled in as the exam means it."""

TWIN = Requirements(
    model="llama-3.3-70b",
    custom_weights=True,
    already_in_bedrock=True,
    region="us-west-2",
    requests_per_minute=100,
    input_tokens=500,
    output_tokens=200,
)
"""The same traffic where the model was customised in Bedrock and nothing must be set by hand."""
