# What of ur3.yaml is different on a cluster: where its stores are. Write your buckets here, then
#
#   sed -f manifests/examples/ur3-cluster.sed manifests/examples/ur3.yaml | kubectl apply -f -
#
# The archive's bucket holds ur3/2022-10-26.zip. On AWS leave endpoint and pathStyle out; leave credentialsSecret out where pods
# have an identity of their own (docs/pods.md). All else of the file, and so every row, is as on a laptop.
s|{url: ur3/} *#.*|{url: "s3://telemetry/ur3/", endpoint: "https://objects.data:9000", pathStyle: true, credentialsSecret: telemetry-read}|
s|{url: ../../out/\(ur3-[a-z-]*\)/}|{url: "s3://features/\1/", endpoint: "https://objects.data:9000", pathStyle: true, credentialsSecret: features-write}|
