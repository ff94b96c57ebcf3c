#!/usr/bin/env bash
# Promote a model if all its gates pass: run the suites, verify what was signed, write the object to
# apply. Whatever is missing, failed or incomplete stops it with an exit code other than 0.
#
#   ENDPOINT       OpenAI-compatible server that serves the candidate, up to /v1
#   MODEL          the model's directory
#   BUNDLE         its OMS bundle; OWNER_PUB: the model owner's public key
#   EVALUATOR_KEY  private key that signs results; EVALUATOR_PUB: its public key
#   NAME, NAMESPACE, IMAGE   of the AttestedModel
#   OUT            directory for evidence and reports; must not exist
#   SUITES         (default: over-refusal secret-leakage red-team)
#   GARAK          a garak report to count in the red-team suite (optional)
set -euo pipefail
: "${ENDPOINT:?}" "${MODEL:?}" "${BUNDLE:?}" "${OWNER_PUB:?}" "${EVALUATOR_KEY:?}"
: "${EVALUATOR_PUB:?}" "${NAME:?}" "${NAMESPACE:?}" "${IMAGE:?}" "${OUT:?}"
read -ra suites <<< "${SUITES:-over-refusal secret-leakage red-team}"
[ "${#suites[@]}" -gt 0 ] || { echo "no suites: a promotion without gates" >&2; exit 2; }

# An old result must not stand in for one of this run.
mkdir "$OUT"

stopped=()
gates=()
for suite in "${suites[@]}"; do
  more=()
  if [ "$suite" = red-team ] && [ -n "${GARAK:-}" ]; then more=(--import "garak=$GARAK"); fi
  # All suites run, so that one promotion shows all that is wrong.
  if quorate gate run "$suite" --endpoint "$ENDPOINT" --model "$MODEL" --key "$EVALUATOR_KEY" \
      --out "$OUT/$suite.json" --report "$OUT/$suite.html" "${more[@]}"; then
    gates+=(--gate "$OUT/$suite.json")
  else
    stopped+=("$suite")
  fi
done
if [ "${#stopped[@]}" -gt 0 ]; then
  echo "not promoted: no pass of ${stopped[*]}" >&2
  exit 1
fi

quorate verify "$MODEL" --bundle "$BUNDLE" --key "$OWNER_PUB" "${gates[@]}" \
  --gate-key "$EVALUATOR_PUB"
quorate model manifest --name "$NAME" --namespace "$NAMESPACE" --bundle "$BUNDLE" "${gates[@]}" \
  --source-image "$IMAGE" > "$OUT/attested-model.yaml"
echo "may be promoted: kubectl apply -f $OUT/attested-model.yaml"
