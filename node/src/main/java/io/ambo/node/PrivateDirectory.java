package io.ambo.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** A directory that only this process's user can enter, though its parent may belong to everybody, as /dev/shm does. */
final class PrivateDirectory {
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rwx------");

    private PrivateDirectory() {}

    /**
     * Makes it, or sees that the one that is there is ours: somebody else could have put one there first, or a link.
     *
     * @param key of the config, for the error
     * @throws IllegalArgumentException when it cannot be made, or is not ours alone
     */
    static Path make(String key, Path directory) {
        try {
            if (Files.notExists(directory, LinkOption.NOFOLLOW_LINKS)) {
                if (directory.getParent() != null) Files.createDirectories(directory.getParent());
                Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
            }
            if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) throw refused(key, directory, "is no directory");
            Object owner = Files.getAttribute(directory, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            Object self = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
            if (!owner.equals(self)) throw refused(key, directory, "belongs to user " + owner + ", this process is of user " + self);
            Files.setPosixFilePermissions(directory, OWNER_ONLY);
            return directory;
        } catch (IOException failed) {
            throw new IllegalArgumentException(key + " = " + directory + " cannot be made: " + failed, failed);
        }
    }

    private static IllegalArgumentException refused(String key, Path directory, String why) {
        return new IllegalArgumentException(key + " = " + directory + " " + why + ": remove it, or name another one");
    }
}
