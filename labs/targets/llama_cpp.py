"""What AWS's llama.cpp container on SageMaker is told: SM_LLAMA_CPP_FLAG becomes llama-server's --flag."""


def environment(repository: str, file: str, context_tokens: int, parallel: int, weights: str = "") -> dict[str, str]:
    """The variables for a GGUF file of a repository at Hugging Face, or for weights that SageMaker puts into /opt/ml/model."""
    where = {} if weights else {"SM_LLAMA_CPP_HF_REPO": repository, "SM_LLAMA_CPP_HF_FILE": file}
    return where | {
        "SM_LLAMA_CPP_CTX_SIZE": str(context_tokens),
        "SM_LLAMA_CPP_PARALLEL": str(parallel),
    }
