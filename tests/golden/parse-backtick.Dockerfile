# escape=`
FROM python:3.11
RUN echo C:\ `
 && echo two
CMD echo \
