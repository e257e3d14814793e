package io.ambo.node.control;

import java.io.IOException;
import java.net.ConnectException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The file of a listening unix socket. It is bound under another name and moved into place when its mode and group are right: nobody ever sees it with others,
 * and a stale one is replaced in one step.
 */
final class SocketFile {
    private static final Logger LOG = LogManager.getLogger();
    /** Ends the name under which the socket is bound first. */
    static final String SUFFIX = ".new";

    private final Path path;
    private @Nullable Object identity;

    private SocketFile(Path path) { this.path = path; }

    /** @throws ControlException when something lives under that name already */
    static SocketFile prepare(Path path) {
        SocketFile file = new SocketFile(path.toAbsolutePath());
        try {
            if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) refuseWhatLives(path);
            Files.deleteIfExists(file.bindPath());
        } catch (IOException e) {
            throw new ControlException("cannot use " + path + " as control socket: " + e.getMessage(),
                    "set node.control-socket to another path", e);
        }
        return file;
    }

    Path bindPath() { return path.resolveSibling(path.getFileName() + SUFFIX); }

    /** The socket is bound: gives it its mode and group, and its name. */
    void publish(String group) throws IOException {
        // Following links here is needed: without it the JDK opens the file to set its mode, and a socket cannot be opened. Nobody else can write to the directory.
        PosixFileAttributeView attributes = Files.getFileAttributeView(bindPath(), PosixFileAttributeView.class);
        attributes.setPermissions(PosixFilePermissions.fromString("rw-rw----"));
        if (!group.isEmpty()) attributes.setGroup(group(group));
        identity = attributes.readAttributes().fileKey();
        Files.move(bindPath(), path, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Removes the file unless somebody else's has taken its place. */
    void remove() {
        try {
            BasicFileAttributes now = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            if (identity != null && identity.equals(now.fileKey())) Files.delete(path);
        } catch (IOException e) {
            LOG.debug("control socket {} was gone already", path, e);
        }
    }

    private GroupPrincipal group(String name) throws IOException {
        try {
            return path.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByGroupName(name);
        } catch (UserPrincipalNotFoundException e) {
            throw new ControlException("no group " + name + " on this host for the control socket",
                    "groupadd --system " + name + ", or change node.control-group",
                    e);
        }
    }

    private static void refuseWhatLives(Path path) throws IOException {
        if (!Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).isOther()) {
            throw new ControlException(path + " exists and is no socket", "remove it, or set node.control-socket to another path");
        }
        try (SocketChannel probe = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            throw new ControlException("a node listens on " + path + " already" + (probe.isConnected() ? "" : " (closing)"),
                    "stop it first, or set node.control-socket to another path");
        } catch (ConnectException e) {
            LOG.info("control socket {} was left behind by a node that is gone; replaced", path);
        }
    }
}
