"""A model of pythia-70m-deduped's shape with random weights, and text for it: `random_pythia.py TOKENIZER FOLDER TOKENS`.

TOKENIZER is a folder with a tokenizer of fewer than 264 tokens, at most one for each character. FOLDER gets `model/` and
`text.txt`.
"""

import random
import shutil
import sys
from pathlib import Path

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

WORDS = 2000
WORDS_PER_LINE = 200


def main(tokenizer: Path, folder: Path, tokens: int) -> None:
    torch.manual_seed(0)
    model = folder / "model"
    shape = {"hidden_size": 512, "num_hidden_layers": 6, "num_attention_heads": 8, "intermediate_size": 2048}
    GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=264, bos_token_id=0, eos_token_id=0, **shape)).save_pretrained(model)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, model)
    draw = random.Random(0)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(WORDS)]
    characters = 0
    with (folder / "text.txt").open("w") as file:
        while characters < 3 * tokens:
            characters += file.write(" ".join(draw.choices(words, k=WORDS_PER_LINE)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
