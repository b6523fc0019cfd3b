package main

// #cgo LDFLAGS: -lm
// #include <math.h>
import "C"

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"os/user"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%.3f %s\n", float64(C.cbrt(27)), nobody.Uid)
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
