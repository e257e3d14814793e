package io.ambo.node.sys;

/** The error numbers that Ambo tells apart, and their text. */
public final class Errno {
    public static final int EPERM = 1, ENOENT = 2, EINTR = 4, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EBUSY = 16, EEXIST = 17, ENODEV = 19,
            EINVAL = 22, ENOSPC = 28, ENETUNREACH = 101, ENOBUFS = 105, ETIMEDOUT = 110, EHOSTUNREACH = 113, EOPNOTSUPP = 95;

    private Errno() {}

    public static String text(int errno) {
        String name = switch (errno) {
            case EPERM -> "operation not permitted";
            case ENOENT -> "no such file or directory";
            case EINTR -> "interrupted";
            case EAGAIN -> "try again";
            case ENOMEM -> "out of memory";
            case EACCES -> "permission denied";
            case EBUSY -> "device or resource busy";
            case EEXIST -> "exists already";
            case ENODEV -> "no such device";
            case EINVAL -> "invalid argument";
            case ENOSPC -> "no space left";
            case ENETUNREACH -> "network unreachable";
            case ENOBUFS -> "no buffer space";
            case ETIMEDOUT -> "timed out";
            case EHOSTUNREACH -> "no route to host";
            case EOPNOTSUPP -> "not supported";
            default -> "error";
        };
        return name + " (errno " + errno + ")";
    }
}
