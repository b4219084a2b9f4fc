/*
 * Open files, as fds[] has them: of a struct file.
 */
typedef struct fileinfo {
	string fi_name;
	string fi_dirname;
	string fi_pathname;
	offset_t fi_offset;
	string fi_fs;
	string fi_mount;
	int fi_oflags;
} fileinfo_t;
inline int O_ACCMODE = 0x3;
inline int O_RDONLY = 0;
inline int O_WRONLY = 01;
inline int O_RDWR = 02;
inline int O_CREAT = 0100;
inline int O_EXCL = 0200;
inline int O_NOCTTY = 0400;
inline int O_TRUNC = 01000;
inline int O_APPEND = 02000;
inline int O_NONBLOCK = 04000;
inline int O_NDELAY = 04000;
inline int O_DSYNC = 010000;
inline int O_LARGEFILE = 0100000;
inline int O_NOFOLLOW = 0400000;
inline int O_CLOEXEC = 02000000;
inline int O_SYNC = 04010000;
inline int O_RSYNC = 04010000;
/* What is in no directory (SB_NOUSER): pipes, sockets. */
translator fileinfo_t < struct file *F > {
	fi_name = F == NULL ? "<none>" : F->f_path.dentry->d_sb->s_flags >> 31 & 1 ? "<unknown>" :
	    basename(d_path(&F->f_path));
	fi_dirname = F == NULL ? "<none>" : F->f_path.dentry->d_sb->s_flags >> 31 & 1 ? "<unknown>" :
	    dirname(d_path(&F->f_path));
	fi_pathname = F == NULL ? "<none>" : F->f_path.dentry->d_sb->s_flags >> 31 & 1 ? "<unknown>" :
	    d_path(&F->f_path);
	fi_offset = F == NULL ? 0 : F->f_pos;
	fi_fs = F == NULL ? "<none>" : stringof(F->f_path.dentry->d_sb->s_type->name);
	fi_mount = F == NULL ? "<none>" : "<unknown>";
	fi_oflags = F == NULL ? 0 : F->f_flags;
};
inline fileinfo_t fds[int D] = xlate <fileinfo_t> ((struct file *)(D >= 0 && curthread->files != NULL &&
    D < curthread->files->fdt->max_fds ? curthread->files->fdt->fd[D] : NULL));
