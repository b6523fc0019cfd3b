#include <stdio.h>
#include <stdlib.h>

int main(void) {
  char name[] = "/tmp/tideXXXXXX";
  printf("tide %s\n", mkstemp(name) >= 0 ? "kept in /tmp" : "has no place");
  return 3;
}
