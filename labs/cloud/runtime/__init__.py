"""Where Lambda functions run: processes of their own that speak AWS's runtime API, kept warm between invocations. No Docker.

    runtime = Runtime(folder, spawn=context.spawn, endpoint_url=context.endpoint_url)
    outcome = runtime.invoke(function, b'{"Records": []}')

What differs from AWS: the interpreter is this machine's Python, whatever the function's runtime is called; `/tmp` is this machine's own
(`tempfile` leads to a folder of the environment); nothing limits CPU; an idle environment is not frozen.
"""
