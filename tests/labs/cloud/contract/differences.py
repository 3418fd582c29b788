"""Where a second emulator, ministack, is known to differ from AWS or from ours: the one place, with the reason.

A difference is expected to fail there, strictly: when ministack comes to agree, its line here must go.
"""

ABSENT = {
    "application-autoscaling": "ministack has no Application Auto Scaling.",
    "sagemaker": "ministack has no SageMaker.",
    "service-quotas": "ministack has no Service Quotas.",
    "pricing": "ministack has no Price List API.",
}
"""Services that ministack does not have; their contracts are tried in-process and on the server only."""

DIFFERENT = {
    "test_an_error_is_a_function_error_with_its_type": (
        "ministack answers errorType Runtime.HandlerError; Lambda's Python runtime names the exception's class."
    ),
    "test_a_conversation_has_an_answer_with_its_usage": "ministack answers beyond maxTokens.",
    "test_a_model_that_is_not_there_says_so": "ministack answers for any model id.",
    "test_a_conversation_needs_a_message": "ministack answers a conversation without a message.",
    "test_a_failing_resource_rolls_the_stack_back": (
        "ministack makes an event source mapping to a function that does not exist; on AWS the resource fails."
    ),
}
"""Test's name: how ministack differs from what AWS documents."""
