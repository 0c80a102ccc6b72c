"""`vidagent judge`: a language model scores two sets of answers, in both orders."""
