/* relay PORT TRIES [REQUEST]: connects to 127.0.0.1:PORT, again every 100 ms up to TRIES times; sends REQUEST and copies
 * at most LIMIT bytes of the answer to stdout. PORT 0 copies /proc/net/tcp and /proc/net/tcp6 instead.
 * Exit status: 0 connected, 1 nothing listens, 2 bad arguments. Without libc: it must run in an empty image. */
#define LIMIT 65536
#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, OPENAT = 257, CLOSE = 3, SOCKET = 41, CONNECT = 42, SLEEP = 35, EXIT = 231 };
static long call(long n, long a, long b, long c, long d)
{
    long answer;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(answer) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return answer;
}
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, OPENAT = 56, CLOSE = 57, SOCKET = 198, CONNECT = 203, SLEEP = 101, EXIT = 94 };
static long call(long n, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
__asm__(".globl _start\n_start: mov x0, sp\n bl start\n");
#endif

static unsigned number(const char *text)
{
    unsigned value = 0;
    while (*text >= '0' && *text <= '9')
        value = value * 10 + (unsigned)(*text++ - '0');
    return value;
}

static void write_all(int to, const char *from, long count)
{
    while (count > 0) {
        long done = call(WRITE, to, (long)from, count, 0);
        if (done <= 0)
            return;
        from += done;
        count -= done;
    }
}

static void copy(int from)
{
    char buffer[4096];
    long left = LIMIT, count;
    while (left > 0 && (count = call(READ, from, (long)buffer, sizeof buffer, 0)) > 0) {
        write_all(1, buffer, count);
        left -= count;
    }
}

static void copy_file(const char *path)
{
    int file = (int)call(OPENAT, -100, (long)path, 0, 0);
    if (file >= 0) {
        copy(file);
        call(CLOSE, file, 0, 0, 0);
    }
}

__attribute__((noreturn, used)) void start(long *stack)
{
    long arguments = stack[0];
    char **words = (char **)(stack + 1);
    int status = 2;
    if (arguments >= 3) {
        unsigned port = number(words[1]), tries = number(words[2]);
        status = 1;
        if (port == 0) {
            copy_file("/proc/net/tcp");
            copy_file("/proc/net/tcp6");
            status = 0;
        }
        while (status == 1 && tries-- > 0) {
            unsigned char address[16] = {2, 0, (unsigned char)(port >> 8), (unsigned char)port, 127, 0, 0, 1};
            int peer = (int)call(SOCKET, 2, 1 | 02000000, 0, 0);
            if (peer >= 0 && call(CONNECT, peer, (long)address, sizeof address, 0) == 0) {
                if (arguments >= 4) {
                    long length = 0;
                    while (words[3][length])
                        length++;
                    write_all(peer, words[3], length);
                    copy(peer);
                }
                status = 0;
            } else {
                long pause[2] = {0, 100000000};
                call(CLOSE, peer, 0, 0, 0);
                call(SLEEP, (long)pause, 0, 0, 0);
            }
        }
    }
    for (;;)
        call(EXIT, status, 0, 0, 0);
}
