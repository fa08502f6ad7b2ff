"""Cuts texts with Hugging Face's tokenizers: {"files": {name: text of a tokenizer.json}, "learn": text, "texts": […]} comes in, and out go the tokens of every text by every file,
and by two more that are trained here: {"files": …, "tokens": {name: [[…], …]}, "decoded": {name: […]}}."""

import json
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

given = json.load(sys.stdin)
files = given["files"]
for name, blank in [("trained", False), ("trained_blank", True)]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=blank)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<|end|>", "<|end|>!"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([given["learn"]], trainer)
    files[name] = tokenizer.to_str()
readers = {name: Tokenizer.from_str(text) for name, text in files.items()}
tokens = {name: [reader.encode(text).ids for text in given["texts"]] for name, reader in readers.items()}
decoded = {name: [reader.decode(ids, skip_special_tokens=False) for ids in tokens[name]] for name, reader in readers.items()}
saved = {name: reader.to_str() for name, reader in readers.items()}
print(json.dumps({"files": saved, "tokens": tokens, "decoded": decoded}))
