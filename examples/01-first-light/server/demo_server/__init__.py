"""A small model server: numpy behind the OpenAI chat API.

`model` and `tokenizer` run the model, `engine` runs it on a few threads, `wire` and `bodies` speak
the API, `app` ties them to HTTP. Nothing here knows of Quorate: any model server would do.
"""
