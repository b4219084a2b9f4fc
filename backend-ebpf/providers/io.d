/*
 * What the io provider tells: of a request to a block device.
 */
inline int B_BUSY = 0x000001;
inline int B_DONE = 0x000002;
inline int B_ERROR = 0x000004;
inline int B_PAGEIO = 0x000010;
inline int B_PHYS = 0x000020;
inline int B_READ = 0x000040;
inline int B_WRITE = 0x000100;
inline int B_ASYNC = 0x000400;
typedef struct bufinfo {
	int b_flags;
	size_t b_bcount;
	uintptr_t b_addr;
	uint64_t b_blkno;
	uint64_t b_lblkno;
	size_t b_resid;
	size_t b_bufsize;
	uintptr_t b_iodone;
	int b_error;
	dev_t b_edev;
} bufinfo_t;
typedef struct devinfo {
	int dev_major;
	int dev_minor;
	int dev_instance;
	string dev_name;
	string dev_statname;
	string dev_pathname;
} devinfo_t;
/* A request gets its `part` just after block_io_start; when it is done, its bios are gone. */
translator bufinfo_t < struct request *R > {
	b_flags = (R->cmd_flags & 0xff) == 0 ? B_READ : (R->cmd_flags & 1) ? B_WRITE : 0;
	b_bcount = R->__data_len;
	b_addr = (uintptr_t)R;
	b_blkno = R->__sector;
	b_lblkno = R->__sector;
	b_resid = 0;
	b_bufsize = R->__data_len;
	b_iodone = (uintptr_t)R->end_io;
	b_error = 0;
	b_edev = R->part != NULL ? R->part->bd_dev : R->bio != NULL ? R->bio->bi_bdev->bd_dev : 0;
};
translator devinfo_t < struct request *R > {
	dev_major = R->q->disk->major;
	dev_minor = R->part != NULL ? R->part->bd_dev & 0xfffff :
	    R->bio != NULL ? R->bio->bi_bdev->bd_dev & 0xfffff : R->q->disk->first_minor;
	dev_instance = R->q->disk->first_minor;
	dev_name = stringof(R->q->disk->disk_name);
	dev_statname = stringof(R->q->disk->disk_name);
	dev_pathname = strjoin("/dev/", stringof(R->q->disk->disk_name));
};
/* The file of a request's first page: its name is that of one of its links, its directory is not known (provider/io.rs). */
translator fileinfo_t < struct dentry *D > {
	fi_name = D == NULL ? "<none>" : stringof(D->d_name.name);
	fi_dirname = D == NULL ? "<none>" : "<unknown>";
	fi_pathname = D == NULL ? "<none>" : "<unknown>";
	fi_offset = 0;
	fi_fs = D == NULL ? "<none>" : stringof(D->d_sb->s_type->name);
	fi_mount = D == NULL ? "<none>" : "<unknown>";
	fi_oflags = 0;
};
