#!/bin/sh
# A function's process: a memory ceiling of the function's size, then the interpreter with the layer's dependencies.
ulimit -d $((${AWS_LAMBDA_FUNCTION_MEMORY_SIZE:-128} * 1024)) 2>/dev/null || true
exec "$(dirname "$0")/../../.local/lambda/bin/python" "$@"
