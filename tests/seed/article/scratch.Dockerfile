# Stage 1: Build the application
FROM python:3.9 AS build

WORKDIR /app/backend

COPY requirements.txt /app/backend
RUN pip install -r requirements.txt

COPY . /app/backend

# Stage 2: Create the final image with only the necessary artifact
FROM scratch
COPY --from=build /app/backend /app/backend
# Expose the application port
EXPOSE 8000
# Command to run the application
CMD python /app/backend/manage.py runserver 0.0.0.0:8000
