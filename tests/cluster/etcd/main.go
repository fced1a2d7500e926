// etcd as its project ships it: its main function alone, so that the module proxy gives the sources and their checksums.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
