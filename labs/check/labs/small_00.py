"""A lab as small as a lab can be, a queue and a table: what `labs.check.bench` grades by the hundred."""

from labs.check import vocabulary
from labs.check.model import Account, Check, Finding, Lab, Task, no, yes

QUEUE, TABLE = "small-jobs", "small-answers"


def queue_gives_up(account: Account) -> Finding:
    """The queue is there and has a dead-letter queue."""
    url = vocabulary.queue_named(account, QUEUE)
    if url is None:
        return no(f"There is no queue '{QUEUE}'. Create it with create_queue.")
    return vocabulary.has_dead_letter_queue(account, url, least_receives=3)


def table_by_job(account: Account) -> Finding:
    """The table is there, and its key is the job."""
    dynamodb = account.client("dynamodb")
    try:
        table = dynamodb.describe_table(TableName=TABLE)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return no(f"There is no table '{TABLE}'. Create it with create_table.")
    keys = [key["AttributeName"] for key in table["KeySchema"]]
    if keys != ["job_id"]:
        return Finding(0.5, f"The table's key is {' and '.join(keys)}; a job is found by job_id alone.")
    return yes("The table finds a job by its id.")


LAB = Lab(
    "00-small",
    (
        Task(1, "A queue that gives up", 5, (Check("queue", 2, queue_gives_up),)),
        Task(2, "A table of jobs", 5, (Check("table", 1, table_by_job),)),
    ),
    time_limit_s=30,
)
