package io.ambo.node.fastpath;

import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.Errno;
import io.ambo.node.sys.Libc;
import io.ambo.node.sys.SysException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A directory of a bpffs where program, maps and links have names, and so outlive the process.
 *
 * <pre>
 *   map-NAME            each map
 *   link-INDEX-MODE     each interface that the program is attached to
 *   program             pinned last: without it the rest is of a start that did not get far, and is swept away
 * </pre>
 */
final class Pins {
    private static final String MAP = "map-", LINK = "link-", PROGRAM = "program", BPF_FILE_SYSTEM = "bpf";

    /** A pinned link; the descriptor is the caller's. */
    record Link(int interfaceIndex, XdpProgram.Mode mode, int fd) {}

    private final Path directory;

    private Pins(Path directory) { this.directory = directory; }

    /** @throws SysException when the directory cannot be made, or is not in a bpffs */
    static Pins at(Path directory) {
        try {
            if (!Files.isDirectory(directory))
                Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            String type = Files.getFileStore(directory).type();
            if (!type.equals(BPF_FILE_SYSTEM))
                throw new SysException("pin the fast path", Errno.EINVAL, directory + " is on a file system of type " + type,
                        "mount -t bpf bpf /sys/fs/bpf, or set node.pin-dir to a directory of a bpffs");
        } catch (IOException failed) {
            throw new SysException("pin the fast path", Errno.ENOENT, "node.pin-dir = " + directory + " cannot be made: " + failed,
                    "mount -t bpf bpf /sys/fs/bpf");
        }
        Pins pins = new Pins(directory);
        if (!Files.exists(directory.resolve(PROGRAM))) pins.clear();
        return pins;
    }

    /** An earlier process has left its fast path here. */
    boolean isComplete() { return Files.exists(directory.resolve(PROGRAM)); }

    /** Descriptors of all pinned maps, by name; the caller closes them. */
    Map<String, Integer> openMaps() {
        Map<String, Integer> maps = new HashMap<>();
        for (String file : files())
            if (file.startsWith(MAP)) maps.put(file.substring(MAP.length()), open(file));
        return maps;
    }

    /** All pinned links whose interface is there; those of interfaces that are gone are forgotten. */
    List<Link> openLinks() {
        List<Link> links = new ArrayList<>();
        for (String file : files()) {
            if (!file.startsWith(LINK)) continue;
            int fd = open(file);
            int index = Bpf.linkInterface(fd);
            if (index > 0) {
                links.add(new Link(index, XdpProgram.Mode.valueOf(file.substring(file.lastIndexOf('-') + 1)), fd));
            } else {
                Libc.close(fd);
                delete(file);
            }
        }
        return links;
    }

    void pinMap(String name, int fd) { pin(MAP + name, fd); }

    void pinLink(int interfaceIndex, XdpProgram.Mode mode, int fd) { pin(linkFile(interfaceIndex, mode), fd); }

    void unpinLink(int interfaceIndex, XdpProgram.Mode mode) { delete(linkFile(interfaceIndex, mode)); }

    /** The program in force, in place of one that was. */
    void pinProgram(int fd) {
        if (isComplete()) {
            // The maps are complete all the time; only the name changes its owner.
            String next = PROGRAM + "-next";
            delete(next);
            pin(next, fd);
            try {
                Files.move(directory.resolve(next), directory.resolve(PROGRAM), java.nio.file.StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException failed) {
                throw new UncheckedIOException(failed);
            }
        } else {
            pin(PROGRAM, fd);
        }
    }

    /** Takes all names away, and the directory. What nobody holds otherwise ends: the interfaces are free. */
    void remove() {
        clear();
        try {
            Files.deleteIfExists(directory);
        } catch (IOException stays) {
            // Somebody looks into it, or it is a mount point. It is empty.
        }
    }

    private void clear() {
        // The program first: a removal that is cut short is seen as one, see at().
        delete(PROGRAM);
        for (String file : files()) delete(file);
    }

    private List<String> files() {
        try (Stream<Path> list = Files.list(directory)) {
            return list.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    private static String linkFile(int interfaceIndex, XdpProgram.Mode mode) { return LINK + interfaceIndex + "-" + mode; }

    private int open(String file) {
        int fd = Bpf.open(directory.resolve(file).toString());
        if (fd < 0) throw new SysException("open a pinned part of the fast path", -fd, directory.resolve(file).toString(), "");
        return fd;
    }

    private void pin(String file, int fd) {
        String path = directory.resolve(file).toString();
        int result = Bpf.pin(fd, path);
        if (result < 0) throw new SysException("pin a part of the fast path", -result, path, "");
    }

    private void delete(String file) {
        try {
            Files.deleteIfExists(directory.resolve(file));
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    @Override
    public String toString() { return directory.toString(); }
}
