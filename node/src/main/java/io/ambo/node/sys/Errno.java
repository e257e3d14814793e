package io.ambo.node.sys;

/** The error numbers that Ambo tells apart, and their text. */
public final class Errno {
    public static final int EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, ENXIO = 6, E2BIG = 7, EBADF = 9, EAGAIN = 11, ENOMEM = 12,
            EACCES = 13,
            EFAULT = 14, EBUSY = 16, EEXIST = 17, ENODEV = 19, EINVAL = 22, EMFILE = 24, ENOSPC = 28, ERANGE = 34, EPROTONOSUPPORT = 93,
            EOPNOTSUPP = 95, EAFNOSUPPORT = 97, EADDRNOTAVAIL = 99, ENETDOWN = 100, ENETUNREACH = 101, ENOBUFS = 105, ETIMEDOUT = 110,
            EHOSTUNREACH = 113;

    private Errno() {}

    public static String text(int errno) {
        String name = switch (errno) {
            case EPERM -> "operation not permitted";
            case ENOENT -> "no such file or directory";
            case ESRCH -> "no such process";
            case EINTR -> "interrupted";
            case ENXIO -> "no such device or address";
            case E2BIG -> "argument too long";
            case EBADF -> "bad file descriptor";
            case EAGAIN -> "try again";
            case ENOMEM -> "out of memory";
            case EACCES -> "permission denied";
            case EFAULT -> "bad address";
            case EBUSY -> "device or resource busy";
            case EEXIST -> "exists already";
            case ENODEV -> "no such device";
            case EINVAL -> "invalid argument";
            case EMFILE -> "too many open files";
            case ENOSPC -> "no space left";
            case ERANGE -> "out of range";
            case EPROTONOSUPPORT -> "protocol not supported";
            case EOPNOTSUPP -> "not supported";
            case EAFNOSUPPORT -> "address family not supported";
            case EADDRNOTAVAIL -> "no such address on this host";
            case ENETDOWN -> "network is down";
            case ENETUNREACH -> "network unreachable";
            case ENOBUFS -> "no buffer space";
            case ETIMEDOUT -> "timed out";
            case EHOSTUNREACH -> "no route to host";
            default -> "error";
        };
        return name + " (errno " + errno + ")";
    }
}
